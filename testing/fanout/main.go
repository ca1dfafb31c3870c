// Command fanout measures how one region's copy reaches four others over lines that are all equally slow.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"loggia/testing/clusterlab"
)

func main() {
	var b bench
	flag.StringVar(&b.Loggia, "loggia", "bin/loggia", "the binary")
	flag.StringVar(&b.Out, "out", "bin/bench/fanout", "folder of the figures and of fanout.json")
	flag.IntVar(&b.MiB, "mib", 512, "size of the image, which does not compress")
	flag.IntVar(&b.RateMbit, "rate", 100, "of every region's line, each way, in Mbit/s")
	flag.Uint64Var(&b.Seed, "seed", 1, "of the images' bytes")
	only := flag.String("only", "fanout,churn", "what to run after the single copy: fanout, churn")
	clusterlab.Main("fanout", func(ctx context.Context) error {
		flag.Parse()
		return b.run(ctx, *only)
	})
}

// bench is the run. Its exported fields go into the JSON.
type bench struct {
	Loggia   string `json:"-"`
	Out      string `json:"-"`
	MiB      int    `json:"mib"`
	RateMbit int    `json:"rateMbit"`
	Seed     uint64 `json:"seed"`

	dir string
	c   *clusterlab.Cluster
}

func (b *bench) run(ctx context.Context, only string) (err error) {
	if b.Loggia, err = filepath.Abs(b.Loggia); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "loggia-fanout-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	fmt.Printf("1 origin and %d regions, a line of %d Mbit/s each (HTB at both ends), an image of %d MiB that does not compress; seed %d\n", len(targets), b.RateMbit, b.MiB, b.Seed)
	b.c, err = clusterlab.New(ctx, clusterlab.Options{Loggia: b.Loggia, Dir: filepath.Join(b.dir, "cluster"), LogLevel: "warn",
		Regions: append([]string{origin}, targets...), Networks: true, Hub: true, RateMbit: b.RateMbit})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.c.Close()) }()
	runs, err := b.scenarios(ctx, only)
	if err != nil {
		return err
	}
	return b.report(runs)
}
