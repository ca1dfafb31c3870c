package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"loggia/testing/measure"
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

func (b *bench) table() error {
	yard := median(b.results["zstd -1 v1"], func(r result) float64 { return r.wall.Seconds() })
	fmt.Printf("\nmedians of %d; MB are 10^6 bytes of guest data that is no hole; CPU is of the command and all daemons\n\n", len(b.results["zstd -1 v1"]))
	t := measure.Table{Head: []string{"job", "seconds", "MB/s", "CPU s per GB", "of zstd -1's time", "MB on the link", "RSS MiB: command", "daemon"}}
	for _, job := range b.order {
		rs := b.results[job]
		wall := median(rs, func(r result) float64 { return r.wall.Seconds() })
		data := float64(rs[0].data)
		t.Row(job, fmt.Sprintf("%.2f", wall), fmt.Sprintf("%.0f", data/1e6/wall),
			fmt.Sprintf("%.2f", median(rs, func(r result) float64 { return r.cpu.Seconds() })/(data/1e9)), fmt.Sprintf("%.2f", wall/yard),
			measure.MB(median(rs, func(r result) int64 { return r.link })),
			measure.MiB(median(rs, func(r result) int64 { return r.client })), measure.MiB(median(rs, func(r result) int64 { return r.node() })))
	}
	return t.Print(os.Stdout)
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
	const limit = 400 << 20
	small, large := b.peaks("v1", "v2", "v2b"), b.peaks("sparse")
	check(small.client < limit && small.node() < limit, "peak RSS with the 4 GiB images: %s (each below 400 MiB)", small.memory())
	check(large.client < limit && large.node() < limit, "peak RSS with the 20 GiB disk:   %s (each below 400 MiB)", large.memory())
	check(2*large.client <= 3*small.client && 2*large.node() <= 3*small.node(), "a disk of five times the size: the command's peak is %.2f times as high, the daemons' %.2f times (at most 1.5)",
		float64(large.client)/float64(small.client), float64(large.node())/float64(small.node()))
	return errors.Join(errs...)
}

// peaks are the most that each party has had in any job with one of the images, in any repetition.
func (b *bench) peaks(images ...string) result {
	var out result
	for job, rs := range b.results {
		words := strings.Fields(job)
		if len(words) < 2 || !slices.Contains([]string{"publish", "replicate", "pull"}, words[0]) || !slices.Contains(images, words[1]) {
			continue
		}
		for _, r := range rs {
			out.client = max(out.client, r.client)
			for i := range out.nodes {
				out.nodes[i] = max(out.nodes[i], r.nodes[i])
			}
		}
	}
	return out
}

// memory tells of each party's peak.
func (r result) memory() string {
	s := fmt.Sprintf("command %d MiB", r.client>>20)
	for i, name := range daemons {
		s += fmt.Sprintf(", daemon of %s %d", name, r.nodes[i]>>20)
	}
	return s
}
