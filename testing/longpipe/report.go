package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"loggia/testing/measure"
)

// report prints what was seen, draws each flow, and fails where a goal was missed.
func (b *bench) report() error {
	fmt.Printf("\na line of %d Mbit/s; bytes by the kernel's counter at the receiving end\n\n", b.RateMbit)
	t := measure.Table{Head: []string{"flow", "round trip", "MB", "needs s", "first to last s", "share", "best 5 s", "asked to done s", "of what it needs", "the line over time"}}
	full := float64(b.RateMbit) * 1e6 / 8
	f := measure.Figure{Title: "use of the line over time", Step: every.Seconds(), Unit: "s"}
	for _, one := range b.Flows {
		steps, rates := make([]float64, len(one.Steps)), make([]float64, len(one.Steps))
		for i, n := range one.Steps {
			steps[i], rates[i] = float64(n), float64(n)/every.Seconds()/1e6
		}
		needs := one.ideal(b.RateMbit).Seconds()
		t.Row(one.Name, one.RTT, measure.MB(one.Bytes), fmt.Sprintf("%.2f", needs), fmt.Sprintf("%.2f", one.Between.Seconds()),
			fmt.Sprintf("%.0f %%", 100*one.share(b.RateMbit)), fmt.Sprintf("%.0f %%", 100*one.best(b.RateMbit)), fmt.Sprintf("%.2f", one.Whole.Seconds()), fmt.Sprintf("%.2f", one.Whole.Seconds()/needs),
			measure.Sparkline(steps, full*every.Seconds(), 40))
		f.Panels = append(f.Panels, measure.Panel{Title: fmt.Sprintf("%s, round trip %s", one.Name, one.RTT), Unit: "MB/s", Limit: full / 1e6, Series: []measure.Series{{Name: "received", Values: rates}}})
	}
	err := t.Print(os.Stdout)
	fmt.Println()
	err = errors.Join(err, b.Print(os.Stdout), measure.WriteSVG(filepath.Join(b.Out, "longpipe.svg"), f), measure.WriteJSON(filepath.Join(b.Out, "longpipe.json"), b))
	fmt.Println("figure and numbers: " + strings.TrimSuffix(b.Out, "/"))
	return errors.Join(err, b.Err())
}
