package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"loggia/testing/measure"
)

// mostMemory is the goal for every process, whatever the disk; mostGrowth is how much more than
// for the smallest disk a job may take for the largest, and still be flat.
const (
	mostMemory = 256 << 20
	mostGrowth = 1.5
)

// process tells the memory of one of the three processes of a job.
type process struct {
	name string
	of   func(measure.Cost) int64
}

var processes = []process{
	{"command", func(c measure.Cost) int64 { return c.RSS }},
	{"node a", func(c measure.Cost) int64 { return node(c, regionA) }},
	{"node b", func(c measure.Cost) int64 { return node(c, regionB) }},
}

// report prints a row for each job and process and a column for each size.
func (b *bench) report() error {
	t := measure.Table{Head: []string{"peak MiB"}}
	for _, gib := range b.Sizes {
		t.Head = append(t.Head, fmt.Sprintf("%d GiB", gib))
	}
	most := map[string]int64{}
	worst := map[string]float64{}
	for _, job := range b.jobs() {
		for _, p := range processes {
			cells, least := []any{job + ": " + p.name}, int64(math.MaxInt64)
			for _, gib := range b.Sizes {
				n, ok := b.peak(job, gib, p)
				if !ok {
					cells = append(cells, "")
					continue
				}
				cells = append(cells, measure.MiB(n))
				most[p.name] = max(most[p.name], n)
				if least == math.MaxInt64 {
					least = n // of the smallest disk
				} else if least > 32<<20 { // below that the process idles
					worst[p.name] = max(worst[p.name], float64(n)/float64(least))
				}
			}
			if len(cells) > 1 && least > 0 && least < math.MaxInt64 {
				t.Row(cells...)
			}
		}
	}
	fmt.Println()
	errs := []error{t.Print(os.Stdout)}
	if m := b.Manifest; m != nil {
		fmt.Printf("\ntwo manifests of a full disk of 1 TiB, %d leaves and %d chunks each, %d leaves differ: %d nodes of %s MB read to tell, peak %s MiB\n\n",
			m.Leaves, m.Chunks, m.Differences, m.NodesRead, measure.MB(m.NodeBytes), measure.MiB(m.Cost.RSS))
		b.AtMost("comparing manifests of 1 TiB: peak memory", float64(m.Cost.RSS)/(1<<20), mostMemory>>20, "MiB")
	}
	for _, p := range processes {
		b.AtMost(p.name+": peak memory over all jobs and disks", float64(most[p.name])/(1<<20), mostMemory>>20, "MiB")
		if len(b.Sizes) > 1 {
			b.AtMost(p.name+": flat: a job over a larger disk, in the smallest's memory", worst[p.name], mostGrowth, "")
		}
	}
	errs = append(errs, b.Print(os.Stdout), measure.WriteJSON(filepath.Join(b.Out, "memory.json"), b))
	fmt.Println("numbers:", b.Out)
	return errors.Join(append(errs, b.Err())...)
}

// jobs lists the jobs in the order in which they were first done.
func (b *bench) jobs() (names []string) {
	seen := map[string]bool{}
	for _, r := range b.Results {
		if !seen[r.Job] {
			seen[r.Job] = true
			names = append(names, r.Job)
		}
	}
	return names
}

func (b *bench) peak(job string, gib int64, p process) (int64, bool) {
	for _, r := range b.Results {
		if r.Job == job && r.GiB == gib {
			return p.of(r.Cost), true
		}
	}
	return 0, false
}
