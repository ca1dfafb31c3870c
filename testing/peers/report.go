package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"loggia/testing/measure"
)

// report prints a table for each job and the verdicts, and fails where a goal was missed or a tool failed.
func (b *bench) report() error {
	fmt.Println("\ntools:")
	for _, name := range slices.Sorted(maps.Keys(b.Tools)) {
		fmt.Printf("  %-13s %s\n", name, b.Tools[name])
	}
	for _, name := range slices.Sorted(maps.Keys(b.Missing)) {
		fmt.Printf("  %-13s left out: %s\n", name, b.Missing[name])
	}
	fmt.Println("\nmedians; wire: bytes over the links between client, a and b; CPU: command and servers; RSS: command / Loggia's nodes; ratios: medians over repetitions")
	var errs []error
	for _, j := range b.jobs {
		if err := b.table(j); err != nil {
			errs = append(errs, err)
		}
	}
	fmt.Println()
	b.judge()
	errs = append(errs, b.Print(os.Stdout), b.engine())
	file := filepath.Join(b.Out, "peers-"+b.Store+".json")
	fmt.Println("numbers:", file)
	errs = append(errs, measure.WriteJSON(file, b))
	for _, f := range b.Failures {
		errs = append(errs, errors.New(f))
	}
	return errors.Join(append(errs, b.Err())...)
}

// table prints a job's tools, the fastest first.
func (b *bench) table(j job) error {
	type row struct {
		tool string
		all  []result
		wall measure.Spread
	}
	var rows []row
	best := ""
	bestWall := math.Inf(1)
	for _, t := range b.tools {
		all := b.of(j.Name, t.Name)
		if len(all) == 0 {
			continue
		}
		r := row{t.Name, all, measure.Over(all, result.seconds)}
		rows = append(rows, r)
		if isPeer(t.Name) && r.wall.Median < bestWall {
			best, bestWall = t.Name, r.wall.Median
		}
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(x, y row) int { return cmp.Compare(x.wall.Median, y.wall.Median) })
	t := measure.Table{Head: []string{j.Name, "s", "min", "max", "of best peer", "of zstd pipe", "wire MB", "stored MB", "objects", "CPU command", "CPU servers", "RSS MiB", "nodes", "file MB"}}
	for _, r := range rows {
		median := func(number func(result) float64) float64 { return measure.Over(r.all, number).Median }
		t.Row(r.tool, fmt.Sprintf("%.2f", r.wall.Median), fmt.Sprintf("%.2f", r.wall.Min), fmt.Sprintf("%.2f", r.wall.Max),
			number(b.ratio(r.all, b.of(j.Name, best), result.seconds).Median, "%.2f"), number(b.ratio(r.all, b.of(j.Name, "zstd-pipe"), result.seconds).Median, "%.2f"),
			number(median(wireBytes)/1e6, "%.1f"), number(median(func(r result) float64 { return float64(r.Stored) })/1e6, "%.1f"), number(median(func(r result) float64 { return float64(r.Objects) }), "%.0f"),
			number(median(func(r result) float64 { return r.Cost.CPU.Seconds() }), "%.2f"), number(median(func(r result) float64 { return (r.Cost.AllCPU() - r.Cost.CPU).Seconds() }), "%.2f"),
			number(median(func(r result) float64 { return float64(r.Cost.RSS) })/(1<<20), "%.0f"), number(median(func(r result) float64 { return float64(nodeRSS(r)) })/(1<<20), "%.0f"),
			number(median(func(r result) float64 { return float64(r.Written) })/1e6, "%.0f"))
	}
	fmt.Println()
	return t.Print(os.Stdout)
}

// engine prints what the rows that are no peers take, and what that is of others' time in the same job.
func (b *bench) engine() error {
	t := measure.Table{Head: []string{"what the parts take", "", "s", "of loggia", "of zstd pipe", "of kopia", "of restic", "of mc"}}
	rows := 0
	for _, j := range b.jobs {
		for _, name := range parts {
			mine := b.of(j.Name, name)
			if len(mine) == 0 || slices.Contains(copies, name) && j.step != replicate {
				continue
			}
			of := func(tool string) string {
				return number(b.ratio(mine, b.of(j.Name, tool), result.seconds).Median, "%.2f")
			}
			t.Row(j.Name, name, fmt.Sprintf("%.2f", measure.Over(mine, result.seconds).Median), of(loggia), of("zstd-pipe"), of("kopia"), of("restic"), of("mc"))
			rows++
		}
	}
	if rows == 0 {
		return nil
	}
	fmt.Println()
	return t.Print(os.Stdout)
}

// number prints a number, and nothing for one that is not there.
func number(v float64, format string) string {
	if math.IsNaN(v) || v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}
