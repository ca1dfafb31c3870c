// Command demo does Loggia's main job end to end, on real images and real processes, and says what it did.
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
	images := flag.String("images", "", "directory with v1.raw and v2.raw")
	store := flag.String("store", "filesystem", "filesystem, s3, versitygw or minio")
	keep := flag.Bool("keep", false, "keep the working directory")
	clusterlab.Main("demo", func(ctx context.Context) error {
		flag.Parse()
		return run(ctx, *loggia, *images, *store, *keep)
	})
}

func run(ctx context.Context, loggia, images, store string, keep bool) (err error) {
	if loggia, err = filepath.Abs(loggia); err != nil {
		return err
	}
	for _, name := range []string{"v1.raw", "v2.raw"} {
		if _, err := os.Stat(filepath.Join(images, name)); err != nil {
			return fmt.Errorf("image: %w (make demo builds it)", err)
		}
	}
	dir, err := os.MkdirTemp("", "loggia-demo-")
	if err != nil {
		return err
	}
	if keep {
		fmt.Println("working directory:", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s := &story{ctx: ctx, dir: dir, loggia: loggia, images: images, store: store}
	return s.tell()
}
