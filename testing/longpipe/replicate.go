package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"loggia/testing/clusterlab"
	"loggia/testing/disks"
)

// Goals, from the table of what the engine must reach.
const (
	leastShare = 0.8 // of the long line
	mostV1     = 1.1 // of the time that the bytes need on the line of the real images
	mostV2     = 1.2
)

// long is one replication over the long line.
func (b *bench) long(ctx context.Context) error {
	return b.between(ctx, "long", b.Far, func(c *clusterlab.Cluster) error {
		file := filepath.Join(b.dir, "disk.raw")
		if err := disks.Random(file, int64(b.MiB)<<20, 1); err != nil {
			return err
		}
		f, err := replicate(ctx, c, file, "1.0.0", fmt.Sprintf("replicate %d MiB", b.MiB))
		if err != nil {
			return err
		}
		f.RTT = b.Far
		b.Flows = append(b.Flows, f)
		b.AtLeast("long line: share of the line, first to last byte", f.share(b.RateMbit), leastShare, "")
		return os.Remove(file)
	})
}

// plain is how many TCP streams a copy is held against over the shorter line: about its flights there.
const plain = 4

// images are the real ones over a shorter line, and then as many bytes as the first one was, without a copy: how much of its time nobody could save.
func (b *bench) images(ctx context.Context) error {
	if err := b.copies(ctx); err != nil {
		return err
	}
	v1 := b.Flows[len(b.Flows)-2]
	_, err := b.alone(ctx, b.Near, plain, v1.Bytes)
	return err
}

func (b *bench) copies(ctx context.Context) error {
	return b.between(ctx, "images", b.Near, func(c *clusterlab.Cluster) error {
		for i, goal := range []float64{mostV1, mostV2} {
			name := fmt.Sprintf("v%d", i+1)
			f, err := replicate(ctx, c, filepath.Join(b.Images, name+".raw"), fmt.Sprintf("%d.0.0", i+1), "replicate "+name)
			if err != nil {
				return err
			}
			f.RTT = b.Near
			b.Flows = append(b.Flows, f)
			b.AtMost(fmt.Sprintf("%s at %s: asked to done, in the time of its bytes on the line", f.Name, b.Near), f.Whole.Seconds()/f.ideal(b.RateMbit).Seconds(), goal, "")
		}
		return nil
	})
}

// between makes two regions with a line between them.
func (b *bench) between(ctx context.Context, name string, rtt time.Duration, job func(*clusterlab.Cluster) error) (err error) {
	dir := filepath.Join(b.dir, name)
	c, err := clusterlab.New(ctx, clusterlab.Options{Loggia: b.Loggia, Dir: dir, LogLevel: "warn",
		Regions: []string{near, far}, Networks: true, RTT: rtt, RateMbit: b.RateMbit, Buffer: b.Buffer})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(), os.RemoveAll(dir)) }()
	return job(c)
}

// replicate publishes a file near and observes how it comes to be far.
func replicate(ctx context.Context, c *clusterlab.Cluster, file, number, name string) (flow, error) {
	version := "longpipe/disk/" + number
	if _, err := c.Run(ctx, io.Discard, near, "publish", file, version, "--wait", "local"); err != nil {
		return flow{}, err
	}
	return observe(ctx, c.Lab, near, far, name, func() error {
		if _, err := c.Run(ctx, io.Discard, near, "version", "update", version, "--regions", near+","+far); err != nil {
			return err
		}
		_, err := c.Run(ctx, io.Discard, far, "wait", version) // hears of it at once, where looking now and then would be late
		return err
	})
}
