// Command longpipe measures how much of a fast line one replication uses over a distance.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"loggia/testing/clusterlab"
	"loggia/testing/measure"
)

func main() {
	b := bench{}
	flag.StringVar(&b.Loggia, "loggia", "bin/loggia", "the binary")
	flag.StringVar(&b.Images, "images", os.Getenv("LOGGIA_IMAGES"), "directory with v1.raw and v2.raw")
	flag.StringVar(&b.Out, "out", "bin/bench/longpipe", "folder of the figures and of longpipe.json")
	flag.IntVar(&b.MiB, "mib", 4096, "bytes over the long line, which do not compress")
	flag.IntVar(&b.RateMbit, "rate", 1000, "of the line, in Mbit/s")
	flag.DurationVar(&b.Far, "far", 200*time.Millisecond, "round trip of the long line")
	flag.DurationVar(&b.Near, "near", 20*time.Millisecond, "round trip for the real images")
	flag.IntVar(&b.Streams, "streams", 16, "plain TCP streams that show the rig's own limit")
	flag.IntVar(&b.Buffer, "buffer", 0, "the most that a TCP socket may buffer, in bytes; 0 is the kernel's own limit")
	only := flag.String("only", "rig,long,images", "parts: rig, long, images")
	clusterlab.Main("longpipe", func(ctx context.Context) error {
		flag.Parse()
		return b.run(ctx, strings.Split(*only, ","))
	})
}

// bench is the run. Its exported fields go into the JSON.
type bench struct {
	Loggia   string        `json:"-"`
	Images   string        `json:"-"`
	Out      string        `json:"-"`
	MiB      int           `json:"mib"`
	RateMbit int           `json:"rateMbit"`
	Far      time.Duration `json:"far"` // nanoseconds
	Near     time.Duration `json:"near"`
	Streams  int           `json:"streams"`
	Buffer   int           `json:"tcpBuffer"`

	Machine measure.Machine `json:"machine"`
	Flows   []flow          `json:"flows"`
	measure.Verdicts

	dir string
}

// parts are what -only names, in their order.
var parts = []struct {
	name string
	run  func(*bench, context.Context) error
}{{"rig", (*bench).rig}, {"long", (*bench).long}, {"images", (*bench).images}}

func (b *bench) run(ctx context.Context, only []string) (err error) {
	if b.Loggia, err = filepath.Abs(b.Loggia); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "loggia-longpipe-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.Machine = measure.ThisMachine()
	for _, name := range only {
		known := false
		for _, p := range parts {
			if p.name != name {
				continue
			}
			known = true
			if err := p.run(b, ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if !known {
			return fmt.Errorf("-only: %q: want rig, long or images", name)
		}
	}
	return b.report()
}
