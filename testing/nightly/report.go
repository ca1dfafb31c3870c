package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"loggia/testing/measure"
)

// Goals: the store holds at most mostHeld times a fresh one, and stays flat from flatFrom on: the mean
// of its last quarter is at most mostGrowth times that of its first.
const (
	mostHeld   = 1.3
	mostGrowth = 1.1
	flatFrom   = 9 // the first night that has more behind it than it keeps
)

// report prints the nights, draws them, and fails where the store grew.
func (b *bench) report() error {
	fmt.Println()
	t := measure.Table{Head: []string{"night", "changed %", "held MB", "of a fresh store", "objects", "requests", "publish s", "collect s"}}
	for _, e := range b.Log {
		if e.Night%10 == 0 || e.Night <= flatFrom || e.Night == b.Nights {
			fresh := ""
			if b.Fresh.Bytes > 0 {
				fresh = fmt.Sprintf("%.2f", float64(e.Held.Bytes)/float64(b.Fresh.Bytes))
			}
			t.Row(e.Night, fmt.Sprintf("%.1f", 100*float64(e.Change.Changed)/float64(max(1, e.Change.Data))), measure.MB(e.Held.Bytes), fresh, e.Held.Objects, e.requests(), fmt.Sprintf("%.1f", e.Publish), fmt.Sprintf("%.1f", e.Collect))
		}
	}
	errs := []error{t.Print(os.Stdout)}
	held := b.series(func(e entry) float64 { return float64(e.Held.Bytes) / 1e6 })
	fmt.Printf("\nheld, MB, night by night: %s\n", measure.Sparkline(held, slices.Max(append(held, 1)), 100))
	fmt.Printf("a fresh store of the last %d versions holds %s MB in %d objects\n\n", b.Keep, measure.MB(b.Fresh.Bytes), b.Fresh.Objects)
	b.judge(held)
	errs = append(errs, b.Print(os.Stdout), measure.WriteSVG(filepath.Join(b.Out, "nightly.svg"), b.figure()), measure.WriteJSON(filepath.Join(b.Out, "nightly.json"), b))
	fmt.Println("figure and numbers:", b.Out)
	return errors.Join(append(errs, b.Err())...)
}

func (b *bench) series(number func(entry) float64) []float64 {
	all := make([]float64, len(b.Log))
	for i, e := range b.Log {
		all[i] = number(e)
	}
	return all
}

// judge looks at the nights from flatFrom on.
func (b *bench) judge(held []float64) {
	if len(held) < flatFrom || b.Fresh.Bytes == 0 {
		return // too short a run to say
	}
	later := held[flatFrom-1:]
	b.AtMost("stored at most, from night nine on, in a fresh store of the kept versions", slices.Max(later)*1e6/float64(b.Fresh.Bytes), mostHeld, "")
	if quarter := len(later) / 4; quarter > 0 {
		first, last := measure.SpreadOf(later[:quarter]), measure.SpreadOf(later[len(later)-quarter:])
		b.AtMost("stored, the median of the last quarter in that of the first", last.Median/first.Median, mostGrowth, "")
	}
}

func (b *bench) figure() measure.Figure {
	one := func(name string, number func(entry) float64) []measure.Series {
		return []measure.Series{{Name: name, Values: b.series(number)}}
	}
	return measure.Figure{Title: fmt.Sprintf("%d nights, %d versions kept, collection: %s", b.Nights, b.Keep, b.Collect), Step: 1, Unit: "nights", Panels: []measure.Panel{
		{Title: "stored bytes; dashed: 1.3 times a fresh store of the last versions", Unit: "MB", Limit: mostHeld * float64(b.Fresh.Bytes) / 1e6, Series: append(
			one("after collection", func(e entry) float64 { return float64(e.Held.Bytes) / 1e6 }), one("before it", func(e entry) float64 { return float64(e.Before.Bytes) / 1e6 })...)},
		{Title: "objects", Series: one("objects", func(e entry) float64 { return float64(e.Held.Objects) })},
		{Title: "requests to the store per night", Series: one("requests", func(e entry) float64 { return float64(e.requests()) })},
		{Title: "time", Unit: "s", Series: append(one("publish", func(e entry) float64 { return e.Publish }), one("collect", func(e entry) float64 { return e.Collect })...)},
		{Title: "changed data blocks; dashed: the least", Unit: "%", Limit: 100 * leastChange, Series: one("changed", func(e entry) float64 { return 100 * float64(e.Change.Changed) / float64(max(1, e.Change.Data)) })},
	}}
}
