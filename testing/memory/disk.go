package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"loggia/testing/clusterlab"
	"loggia/testing/disks"
	"loggia/testing/measure"
)

// The regions: a publishes, b copies and is pulled from.
const (
	regionA = "a"
	regionB = "b"
)

// result is one job over one disk.
type result struct {
	Job  string       `json:"job"`
	GiB  int64        `json:"gib"`
	Cost measure.Cost `json:"cost"`
}

// span is what a leaf of the manifest covers: data in every span makes as many leaves as there can be.
const span = 64 << 20

// disk runs every job over a disk of a size, on fresh daemons.
func (b *bench) disk(ctx context.Context, gib int64) (err error) {
	dir := filepath.Join(b.dir, fmt.Sprint(gib))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b.c, err = clusterlab.New(ctx, clusterlab.Options{Loggia: b.Loggia, Dir: filepath.Join(dir, "cluster"), Regions: []string{regionA, regionB}, Networks: true, LogLevel: "warn"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.c.Close(), os.RemoveAll(dir)) }()
	file, size, data := filepath.Join(dir, "disk.raw"), gib<<30, int64(b.DataMiB)<<20
	extents := disks.Evenly(size, min(data, size), int(size/span))
	if err := disks.Spread(file, size, extents, b.Seed); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return b.publish(ctx, gib, "publish", file, "1.0.0") },
		func() error { return b.replicate(ctx, gib, "replicate", "1.0.0") },
		func() error { return b.pull(ctx, gib, "pull", file, "1.0.0") },
		func() error { return b.pulls(ctx, gib, "1.0.0") },
		func() error { return change(file, extents, b.Seed) },
		func() error { return b.publish(ctx, gib, "publish a change", file, "2.0.0") },
		func() error { return b.replicate(ctx, gib, "replicate a change", "2.0.0") },
		func() error { return b.pull(ctx, gib, "pull a change", file, "2.0.0", "--seed", b.pulled(0)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return os.Remove(b.pulled(0))
}

// change rewrites sixteen places of a disk.
func change(file string, extents []disks.Extent, seed uint64) error {
	for i := range min(16, len(extents)) {
		e := extents[i*len(extents)/min(16, len(extents))]
		if err := disks.Overwrite(file, disks.Extent{Offset: e.Offset, Length: min(e.Length, 64<<10)}, seed+uint64(i)+100); err != nil {
			return err
		}
	}
	return nil
}

// keep notes a job's cost.
func (b *bench) keep(job string, gib int64, c measure.Cost) {
	b.Results = append(b.Results, result{Job: job, GiB: gib, Cost: c})
	fmt.Printf("  %5d GiB  %-20s  command %4s MiB  node a %4s MiB  node b %4s MiB  %7.1f s\n", gib, job, measure.MiB(c.RSS), measure.MiB(node(c, regionA)), measure.MiB(node(c, regionB)), c.Wall.Seconds())
}

func node(c measure.Cost, region string) int64 { return c.Servers[region].RSS }

func (b *bench) probe() measure.Probe {
	return measure.Probe{Servers: map[string]int{regionA: b.c.Node(regionA).PID(), regionB: b.c.Node(regionB).PID()}}
}

func (b *bench) measured(ctx context.Context, gib int64, job, region string, args ...string) error {
	c, err := b.probe().Run(ctx, b.c.CLI(ctx, region, args...))
	if err != nil {
		return fmt.Errorf("%s: %w", job, err)
	}
	b.keep(job, gib, c)
	return nil
}

func version(number string) string { return "memory/disk/" + number }

func (b *bench) publish(ctx context.Context, gib int64, job, file, number string) error {
	return b.measured(ctx, gib, job, regionA, "publish", file, version(number), "--wait", "local")
}

func (b *bench) replicate(ctx context.Context, gib int64, job, number string) error {
	c, err := b.probe().Around(func() error {
		if _, err := b.c.Run(ctx, io.Discard, regionA, "version", "update", version(number), "--regions", regionA+","+regionB); err != nil {
			return err
		}
		_, err := b.c.Completed(ctx, regionA, version(number), []string{regionB}, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", job, err)
	}
	b.keep(job, gib, c)
	return nil
}

// pulled is the file of one of the pulls.
func (b *bench) pulled(i int) string { return filepath.Join(b.dir, fmt.Sprintf("pulled-%d.raw", i)) }

func (b *bench) pull(ctx context.Context, gib int64, job, file, number string, more ...string) error {
	out := b.pulled(0)
	if len(more) > 0 {
		out = b.pulled(1)
	}
	if err := b.measured(ctx, gib, job, regionB, append([]string{"pull", version(number), "-o", out}, more...)...); err != nil {
		return err
	}
	if err := disks.Equal(file, out); err != nil {
		return fmt.Errorf("%s: what was pulled differs: %w", job, err)
	}
	if len(more) > 0 {
		return os.Remove(out)
	}
	return nil
}

// pulls are several at once, which share the node's pool of buffers.
func (b *bench) pulls(ctx context.Context, gib int64, number string) error {
	job := fmt.Sprintf("%d pulls at once", b.Transfers)
	c, err := b.probe().Around(func() error {
		g, ctx := errgroup.WithContext(ctx)
		for i := range b.Transfers {
			g.Go(func() error {
				cmd := b.c.CLI(ctx, regionB, "pull", version(number), "-o", b.pulled(i+1))
				if out, err := cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("%w\n%s", err, out)
				}
				return os.Remove(b.pulled(i + 1))
			})
		}
		return g.Wait()
	})
	if err != nil {
		return fmt.Errorf("%s: %w", job, err)
	}
	b.keep(job, gib, c)
	return nil
}
