package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"loggia/testing/measure"
)

// The goals: what the origin sends, in single copies, and when the last region is done, in the time
// of a single copy.
const (
	mostSent = 1.3
	mostTime = 1.5
)

// found is what the JSON holds.
type found struct {
	*bench
	Machine measure.Machine `json:"machine"`
	Stories []*story        `json:"runs"`
	measure.Verdicts
}

func (b *bench) report(stories []*story) error {
	f := found{bench: b, Machine: measure.ThisMachine(), Stories: stories}
	single := stories[0]
	copied, base := total(single.Links[0].Sent), single.took(targets[0])
	for _, s := range stories {
		if err := b.show(s, copied, base); err != nil {
			return err
		}
		if s != single {
			f.judge(s, copied, base)
		}
	}
	fmt.Println()
	err := f.Print(os.Stdout)
	fmt.Printf("figures and numbers: %s\n", b.Out)
	return errors.Join(err, measure.WriteJSON(filepath.Join(b.Out, "fanout.json"), f), f.Err())
}

func (f *found) judge(s *story, copied int64, base float64) {
	f.AtMost(s.Name+": origin sends until the others are done, in single copies", float64(s.sent(0))/float64(copied), mostSent, "")
	last := 0.0
	for r := range s.Done {
		if s.Name != "churn" || r != victim { // the killed one has no goal but to be done
			last = max(last, s.took(r))
		}
	}
	f.AtMost(s.Name+": the last region waits, in times of a single copy", last/base, mostTime, "")
}

// show prints a scenario's table and draws its figure.
func (b *bench) show(s *story, copied int64, base float64) error {
	most := float64(b.RateMbit) * 1e6 / 8 * s.Step
	t := measure.Table{Head: []string{s.Name, "asked s", "done s", "of a single copy", "sent MB", "received MB", "copies sent", "line out", "line in"}}
	f := measure.Figure{Title: fmt.Sprintf("%s: bytes per line over time, %d Mbit/s each way", s.Name, b.RateMbit), Step: s.Step, Unit: "s"}
	for _, l := range s.Links {
		asked, done, ratio := "", "", ""
		if at, ok := s.Done[l.Region]; ok {
			asked, done, ratio = fmt.Sprintf("%.1f", s.Asked[l.Region]), fmt.Sprintf("%.1f", at), fmt.Sprintf("%.2f", s.took(l.Region)/base)
		}
		sent, received := floats(l.Sent, 1), floats(l.Received, 1)
		t.Row(l.Region, asked, done, ratio, measure.MB(total(l.Sent)), measure.MB(total(l.Received)), fmt.Sprintf("%.2f", float64(total(l.Sent))/float64(copied)),
			measure.Sparkline(sent, most, 40), measure.Sparkline(received, most, 40))
		perSecond := 1 / s.Step / 1e6
		f.Panels = append(f.Panels, measure.Panel{Title: l.Region, Unit: "MB/s", Limit: float64(b.RateMbit) / 8,
			Series: []measure.Series{{Name: "sent", Values: floats(l.Sent, perSecond)}, {Name: "received", Values: floats(l.Received, perSecond)}}})
	}
	fmt.Println()
	if err := t.Print(os.Stdout); err != nil {
		return err
	}
	return measure.WriteSVG(filepath.Join(b.Out, s.Name+".svg"), f)
}

func floats(steps []int64, scale float64) []float64 {
	all := make([]float64, len(steps))
	for i, n := range steps {
		all[i] = float64(n) * scale
	}
	return all
}
