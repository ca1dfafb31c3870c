// Command bench measures publish, replicate and pull of real images beside zstd and a plain copy in the same run.
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
	loggia := flag.String("loggia", "bin/loggia", "the binary")
	images := flag.String("images", "", "directory with v1.raw, v2.raw, v2b.raw and sparse.raw")
	store := flag.String("store", "", "versitygw or minio; default: the filesystem store")
	reps := flag.Int("reps", 3, "repetitions; medians are shown")
	clusterlab.Main("bench", func(ctx context.Context) error {
		flag.Parse()
		b := &bench{ctx: ctx, images: *images, store: *store, results: map[string][]result{}}
		return b.run(*loggia, *reps)
	})
}

func (b *bench) run(loggia string, reps int) (err error) {
	if b.loggia, err = filepath.Abs(loggia); err != nil {
		return err
	}
	for _, name := range []string{"v1.raw", "v2.raw", "v2b.raw", "sparse.raw"} {
		if _, err := os.Stat(filepath.Join(b.images, name)); err != nil {
			return fmt.Errorf("image: %w (make bench builds it)", err)
		}
	}
	for i := range reps {
		if b.dir, err = os.MkdirTemp("", "loggia-bench-"); err != nil {
			return err
		}
		fmt.Printf("repetition %d of %d\n", i+1, reps)
		err := errors.Join(b.repetition(), os.RemoveAll(b.dir))
		if err != nil {
			return err
		}
	}
	return errors.Join(b.table(), b.verdicts())
}
