package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
)

// median picks the middle repetition by one of its numbers.
func median[T cmp.Ordered](rs []result, of func(result) T) T {
	all := make([]T, 0, len(rs))
	for _, r := range rs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (b *bench) table() {
	yard := median(b.results["zstd -1 v1"], func(r result) float64 { return r.wall.Seconds() })
	fmt.Printf("\nmedians of %d; MB are 10^6 bytes of guest data that is no hole; CPU is of the command and all daemons\n\n", len(b.results["zstd -1 v1"]))
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "job\tseconds\tMB/s\tCPU s per GB\tof zstd -1's time\tMB on the link\tRSS MiB: command\tdaemon\t")
	for _, job := range b.order {
		rs := b.results[job]
		wall := median(rs, func(r result) float64 { return r.wall.Seconds() })
		data := float64(rs[0].data)
		fmt.Fprintf(w, "%s\t%.2f\t%.0f\t%.2f\t%.2f\t%.1f\t%d\t%d\t\n", job, wall, data/1e6/wall,
			median(rs, func(r result) float64 { return r.cpu.Seconds() })/(data/1e9), wall/yard,
			float64(median(rs, func(r result) int64 { return r.link }))/1e6,
			median(rs, func(r result) int64 { return r.client })>>20, median(rs, func(r result) int64 { return r.node })>>20)
	}
	w.Flush()
}

// verdicts hold the bytes and the memory, which do not depend on the machine, to what is promised.
func (b *bench) verdicts() error {
	fmt.Println()
	var errs []error
	check := func(ok bool, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if !ok {
			errs = append(errs, errors.New(text))
			text = "WRONG: " + text
		}
		fmt.Println(text)
	}
	link := func(job string) float64 {
		return float64(median(b.results[job], func(r result) int64 { return r.link }))
	}
	full := link("replicate v1")
	check(link("replicate v2") <= 0.45*full, "rebuilt image: %.1f %% of the bytes of the compressed full copy (at most 45 %%)", 100*link("replicate v2")/full)
	check(link("replicate v2b") <= 0.08*full, "image upgraded in place: %.1f %% (at most 8 %%)", 100*link("replicate v2b")/full)
	var client, node int64
	for _, rs := range b.results {
		for _, r := range rs {
			client, node = max(client, r.client), max(node, r.node)
		}
	}
	const limit = 400 << 20
	check(client < limit && node < limit, "peak RSS over all jobs, the 20 GiB disk too: command %d MiB, daemon %d MiB (below 400 MiB)", client>>20, node>>20)
	return errors.Join(errs...)
}
