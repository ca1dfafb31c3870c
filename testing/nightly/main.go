// Command nightly publishes a version a night, keeps the last seven, and watches what the store holds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"loggia/testing/clusterlab"
	"loggia/testing/measure"
)

func main() {
	b := bench{}
	flag.StringVar(&b.Loggia, "loggia", "bin/loggia", "the binary")
	flag.StringVar(&b.Images, "images", os.Getenv("LOGGIA_IMAGES"), "directory with v1.raw and v2.raw")
	flag.StringVar(&b.Out, "out", "bin/bench/nightly", "folder of the figure and of nightly.json")
	flag.StringVar(&b.Work, "work", "", "folder for the disk and the store, about 12 GiB (default: the one for temporary files)")
	flag.StringVar(&b.Store, "store", "filesystem", "minio, versitygw or filesystem")
	flag.IntVar(&b.Nights, "nights", 100, "versions to publish")
	flag.IntVar(&b.Keep, "keep", 7, "versions to keep")
	flag.Uint64Var(&b.Seed, "seed", 1, "of the nights")
	flag.StringVar(&b.Collect, "collect", "auto", "yes, no, or auto: where the binary has the command")
	flag.BoolVar(&b.small, "small", false, "try the rig with an image of some MiB, made for it")
	clusterlab.Main("nightly", func(ctx context.Context) error {
		flag.Parse()
		return b.run(ctx)
	})
}

// home is the one region.
const home = "home"

// bench is the run. Its exported fields go into the JSON.
type bench struct {
	Loggia  string `json:"-"`
	Images  string `json:"-"`
	Out     string `json:"-"`
	Work    string `json:"-"`
	Store   string `json:"store"`
	Nights  int    `json:"nights"`
	Keep    int    `json:"keep"`
	Seed    uint64 `json:"seed"`
	Collect string `json:"collect"`

	Machine measure.Machine  `json:"machine"`
	Log     []entry          `json:"log"`
	Fresh   clusterlab.Usage `json:"fresh"` // a store of the last versions alone
	measure.Verdicts

	small bool
	dir   string
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.Loggia, err = filepath.Abs(b.Loggia); err != nil {
		return err
	}
	if b.Nights < 1 || b.Keep < 1 {
		return errors.New("-nights and -keep: want at least 1")
	}
	if err := b.chooseCollect(ctx); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(b.Work, "loggia-nightly-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.Machine = measure.ThisMachine()
	fmt.Printf("%d nights, the last %d versions kept, a %s store, collection: %s; seed %d\n", b.Nights, b.Keep, b.Store, b.Collect, b.Seed)
	if err := b.nights(ctx); err != nil {
		return errors.Join(err, b.report()) // what was seen is not lost
	}
	return b.report()
}

// chooseCollect settles whether the store is collected each night.
func (b *bench) chooseCollect(ctx context.Context) error {
	help, err := exec.CommandContext(ctx, b.Loggia, "operator", "--help").Output()
	if err != nil {
		return fmt.Errorf("loggia operator --help: %w", err)
	}
	has := strings.Contains(string(help), "\n  collect ")
	switch b.Collect {
	case "auto":
		b.Collect = map[bool]string{true: "yes", false: "no"}[has]
	case "yes":
		if !has {
			return errors.New("-collect yes: this binary has no command `operator collect`")
		}
	case "no":
	default:
		return fmt.Errorf("-collect: %q: want yes, no or auto", b.Collect)
	}
	return nil
}
