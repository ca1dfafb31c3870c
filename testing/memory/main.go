// Command memory measures the peak memory of the command and of the nodes over disks of very different sizes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"loggia/testing/clusterlab"
	"loggia/testing/measure"
)

func main() {
	b := bench{}
	flag.StringVar(&b.Loggia, "loggia", "bin/loggia", "the binary")
	flag.StringVar(&b.Out, "out", "bin/bench/memory", "folder of memory.json")
	flag.StringVar(&b.Work, "work", "", "folder for disks and stores, about 8 GiB (default: the one for temporary files)")
	flag.IntVar(&b.DataMiB, "data", 1024, "data on each disk, spread evenly over it, which does not compress")
	flag.IntVar(&b.Transfers, "transfers", 10, "pulls at once in the job that shares a node's buffers")
	flag.Uint64Var(&b.Seed, "seed", 1, "of the disks' bytes")
	sizes := flag.String("sizes", "1,4,20,1024", "of the disks, in GiB")
	manifest := flag.Bool("manifest", false, "compare two manifests of a full disk of 1 TiB in this process, print what that took, and end")
	clusterlab.Main("memory", func(ctx context.Context) error {
		flag.Parse()
		if *manifest {
			found, err := compareManifests(ctx)
			return errors.Join(err, json.NewEncoder(os.Stdout).Encode(found))
		}
		for _, s := range strings.Split(*sizes, ",") {
			var gib int64
			if _, err := fmt.Sscan(s, &gib); err != nil || gib < 1 {
				return fmt.Errorf("-sizes: %q: want whole GiB", s)
			}
			b.Sizes = append(b.Sizes, gib)
		}
		return b.run(ctx)
	})
}

// bench is the run. Its exported fields go into the JSON.
type bench struct {
	Loggia    string  `json:"-"`
	Out       string  `json:"-"`
	Work      string  `json:"-"`
	DataMiB   int     `json:"dataMiB"`
	Transfers int     `json:"transfers"`
	Seed      uint64  `json:"seed"`
	Sizes     []int64 `json:"sizesGiB"`

	Machine  measure.Machine `json:"machine"`
	Results  []result        `json:"results"`
	Manifest *manifestResult `json:"manifest"`
	measure.Verdicts

	dir string
	c   *clusterlab.Cluster
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.Loggia, err = filepath.Abs(b.Loggia); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(b.Work, "loggia-memory-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.Machine = measure.ThisMachine()
	fmt.Printf("peak memory (VmHWM, reset before each job) over disks of %v GiB with %d MiB of data each\n", b.Sizes, b.DataMiB)
	if err := b.manifests(ctx); err != nil {
		return err
	}
	for _, gib := range slices.Sorted(slices.Values(b.Sizes)) {
		if err := b.disk(ctx, gib); err != nil {
			return errors.Join(fmt.Errorf("disk of %d GiB: %w", gib, err), b.report()) // what was seen is not lost
		}
	}
	return b.report()
}
