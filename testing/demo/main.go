// Command demo does Loggia's main job end to end, on real images and real processes, and says what it did.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"loggia/testing/s3servers"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == "s3" {
		exit(runS3(os.Args[2], os.Args[3], os.Args[4]))
	}
	loggia := flag.String("loggia", "bin/loggia", "the binary")
	images := flag.String("images", "", "directory with v1.raw and v2.raw")
	store := flag.String("store", "filesystem", "filesystem, s3, versitygw or minio")
	keep := flag.Bool("keep", false, "keep the working directory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, *loggia, *images, *store, *keep))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: FAILED: "+err.Error())
		os.Exit(1)
	}
	os.Exit(0)
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

// runS3 runs an S3 server until this process is killed, and prints where it is.
func runS3(kind, dir, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := s3servers.StartProcess(ctx, s3servers.Kind(kind), dir, addr)
	if err != nil {
		return err
	}
	defer p.Stop()
	const bucket = "loggia"
	if err := p.MakeBucket(ctx, bucket); err != nil {
		return err
	}
	line, err := json.Marshal(map[string]string{"Endpoint": p.Endpoint, "Bucket": bucket, "AccessKey": p.AccessKey, "SecretKey": p.SecretKey, "CAFile": p.CAFile})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	<-ctx.Done()
	return nil
}
