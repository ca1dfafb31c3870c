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

// entry is one night.
type entry struct {
	Night    int              `json:"night"` // from 1 on
	Change   night            `json:"change"`
	Held     clusterlab.Usage `json:"held"`     // after the collection
	Before   clusterlab.Usage `json:"before"`   // and before it
	Requests map[string]int64 `json:"requests"` // to the store, since the evening before, by operation
	Publish  float64          `json:"publishSeconds"`
	Collect  float64          `json:"collectSeconds"`
}

// requests is the sum over all operations.
func (e entry) requests() (sum int64) {
	for _, n := range e.Requests {
		sum += n
	}
	return sum
}

// grace is the collector's, between condemning and deleting: nobody reads here meanwhile.
const grace = "1s"

func (b *bench) cluster(ctx context.Context, name string) (*clusterlab.Cluster, error) {
	o := clusterlab.Options{Loggia: b.Loggia, Dir: filepath.Join(b.dir, name), Regions: []string{home}, Networks: true, LogLevel: "warn"}
	if b.Store != "filesystem" {
		o.S3 = b.Store
	}
	if b.Collect == "yes" {
		o.Config = "collection: {grace: " + grace + ", period: 1000h, requests: 0, bytes: 0}\n"
	}
	return clusterlab.New(ctx, o)
}

func version(n int) string { return fmt.Sprintf("nightly/image/1.0.%d", n) }

// nights is the whole story.
func (b *bench) nights(ctx context.Context) (err error) {
	disk, m, err := b.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close(), m.stock.Close()) }()
	c, err := b.cluster(ctx, "cluster")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	counter := newCounter()
	for n := 1; n <= b.Nights; n++ {
		var change night
		if n > 1 {
			if change, err = m.next(); err != nil {
				return err
			}
		}
		if change.Data, change.Changed, err = counter.count(disk); err != nil {
			return err
		}
		if n > 1 && float64(change.Changed) < leastChange*float64(change.Data) {
			return fmt.Errorf("night %d changed %d of %d blocks, less than %.0f %%", n, change.Changed, change.Data, 100*leastChange)
		}
		if err := b.night(ctx, c, n, change, disk.Name()); err != nil {
			return fmt.Errorf("night %d: %w", n, err)
		}
	}
	return b.fresh(ctx, c)
}

// open makes the disk of the first night, a copy of v1, and its mutator.
func (b *bench) open() (*os.File, *mutator, error) {
	file, from, stock := filepath.Join(b.dir, "disk.raw"), filepath.Join(b.Images, "v1.raw"), filepath.Join(b.Images, "v2.raw")
	if b.small {
		const size, data = 256 << 20, 48 << 20
		from, stock = filepath.Join(b.dir, "v1.raw"), filepath.Join(b.dir, "v2.raw")
		if err := errors.Join(disks.Spread(from, size, disks.Evenly(size, data, 100), 1), disks.Spread(stock, size, disks.Evenly(size, data, 100), 2)); err != nil {
			return nil, nil, err
		}
	}
	if err := copySparse(file, from); err != nil {
		return nil, nil, err
	}
	disk, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	news, err := os.Open(stock)
	if err != nil {
		return nil, nil, errors.Join(err, disk.Close())
	}
	m, err := newMutator(disk, news, b.Seed)
	if err != nil {
		return nil, nil, errors.Join(err, disk.Close(), news.Close())
	}
	return disk, m, nil
}

// night publishes, deletes what is too old, collects, and looks.
func (b *bench) night(ctx context.Context, c *clusterlab.Cluster, n int, change night, disk string) error {
	e := entry{Night: n, Change: change}
	evening, err := c.Requests(ctx, home)
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := c.Run(ctx, io.Discard, home, "publish", disk, version(n), "--wait", "local"); err != nil {
		return err
	}
	e.Publish = time.Since(began).Seconds()
	if n > b.Keep {
		if _, err := c.Run(ctx, io.Discard, home, "version", "delete", version(n-b.Keep)); err != nil {
			return err
		}
	}
	if e.Before, err = c.Usage(ctx, home); err != nil {
		return err
	}
	if b.Collect == "yes" {
		began = time.Now()
		if _, err := c.Run(ctx, io.Discard, home, "operator", "collect", "--region", home); err != nil {
			return err
		}
		e.Collect = time.Since(began).Seconds()
	}
	morning, err := c.Requests(ctx, home)
	if err != nil {
		return err
	}
	e.Requests = map[string]int64{}
	for op := range morning {
		e.Requests[op] = morning[op] - evening[op]
	}
	if e.Held, err = c.Usage(ctx, home); err != nil {
		return err
	}
	b.Log = append(b.Log, e)
	fmt.Printf("  night %3d: %4.1f %% of %d MiB changed  held %7.1f MB in %4d objects (%7.1f MB before)  %5d requests  publish %5.1f s  collect %5.1f s\n", n,
		100*float64(change.Changed)/float64(max(1, change.Data)), change.Data*blockSize>>20, float64(e.Held.Bytes)/1e6, e.Held.Objects, float64(e.Before.Bytes)/1e6, e.requests(), e.Publish, e.Collect)
	return nil
}

// fresh publishes the versions that are kept in a cluster of their own, oldest first.
func (b *bench) fresh(ctx context.Context, c *clusterlab.Cluster) (err error) {
	f, err := b.cluster(ctx, "fresh")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	file := filepath.Join(b.dir, "kept.raw")
	for n := max(1, b.Nights-b.Keep+1); n <= b.Nights; n++ {
		if _, err := c.Run(ctx, io.Discard, home, "pull", version(n), "-o", file); err != nil {
			return err
		}
		if _, err := f.Run(ctx, io.Discard, home, "publish", file, version(n), "--wait", "local"); err != nil {
			return err
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	b.Fresh, err = f.Usage(ctx, home)
	return err
}
