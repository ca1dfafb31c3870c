// Command peers measures Loggia beside the tools that a user would pick instead, and holds it to its goals.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"loggia/testing/clusterlab"
	"loggia/testing/measure"
	"loggia/testing/peers/bare"
)

func main() {
	b := bench{}
	flag.StringVar(&b.Loggia, "loggia", "bin/loggia", "the binary")
	flag.StringVar(&b.Images, "images", os.Getenv("LOGGIA_IMAGES"), "directory with v1, v2, v2b, rand and sparse .raw")
	flag.StringVar(&b.Out, "out", "bin/bench/peers", "folder of peers.json")
	flag.StringVar(&b.Store, "store", "minio", "what regions a and b keep objects in: minio, versitygw or filesystem")
	flag.StringVar(&b.Work, "work", "", "folder for stores and outputs, about 50 GiB (default: the one for temporary files)")
	flag.IntVar(&b.Reps, "reps", 3, "repetitions")
	flag.BoolVar(&b.small, "small", false, "try the rig with images of some MiB, made for it")
	install := flag.Bool("install", false, "install the peers that the Go module proxy has, and end")
	jobs := flag.String("jobs", "", "comma-separated jobs (default: all); what a job needs is done before it. There are: "+strings.Join(jobNames(), " "))
	names := flag.String("tools", "", "comma-separated tools (default: all). There are: "+strings.Join(toolNames(), " "))
	clusterlab.Main("peers", func(ctx context.Context) error {
		if len(os.Args) == 3 && os.Args[1] == bare.Arg {
			return bare.Run(ctx, os.Args[2])
		}
		flag.Parse()
		if *install {
			return installAll(ctx)
		}
		return b.run(ctx, *jobs, *names)
	})
}

// bench is the run. Its exported fields go into the JSON.
type bench struct {
	Loggia string `json:"-"`
	Images string `json:"-"`
	Out    string `json:"-"`
	Work   string `json:"-"`
	Store  string `json:"store"`
	Reps   int    `json:"repetitions"`

	Machine  measure.Machine   `json:"machine"`
	Tools    map[string]string `json:"tools"`   // that took part, with their versions
	Missing  map[string]string `json:"missing"` // and those that did not, with the reason
	Results  []result          `json:"results"`
	Failures []string          `json:"failures"`
	measure.Verdicts

	small bool
	dir   string
	tools []tool
	jobs  []job
}

func (b *bench) run(ctx context.Context, jobs, names string) (err error) {
	if b.Loggia, err = filepath.Abs(b.Loggia); err != nil {
		return err
	}
	if b.jobs, err = chooseJobs(jobs); err != nil {
		return err
	}
	if err := b.chooseTools(ctx, names); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(b.Work, "loggia-peers-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.prepareImages(); err != nil {
		return err
	}
	b.Machine = measure.ThisMachine()
	fmt.Printf("regions a and b on %s; %d repetitions of %d jobs\n", b.Store, b.Reps, len(b.jobs))
	for rep := range b.Reps {
		fmt.Printf("\nrepetition %d of %d\n", rep+1, b.Reps)
		if err := b.repetition(ctx, rep); err != nil {
			return errors.Join(err, b.report()) // what was measured is not lost
		}
	}
	return b.report()
}
