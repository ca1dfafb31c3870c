package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"loggia/api/v1"
	"loggia/internal/ranged"
	"loggia/transfer/chunk"
	"loggia/transfer/pull"
)

// Direct reads a disk from the region's store by links that the node gives. It is a pull.Direct: what it can't give comes through
// the node. Close it.
type Direct struct {
	disk   *Disk
	stores *ranged.Clients

	mu      sync.Mutex
	strikes int       // failures since the last range that came
	pausing time.Time // until when no link is asked for
	trouble error     // the last
}

var _ pull.Direct = (*Direct)(nil)

// Direct returns the way past the node.
func (d *Disk) Direct() *Direct {
	return &Direct{disk: d, stores: &ranged.Clients{Options: ranged.Options{Agent: d.c.agent}, Max: maxStores}}
}

// A store that fails so often in a row is left alone for a while: the node gives the same bytes.
const (
	maxStrikes = 3
	respite    = 30 * time.Second
	maxStores  = 8 // origins in one pull: a region has few
)

// errNoLinks: the region's store is a directory, or one that does not keep to what a link says.
var errNoLinks = errors.New("the region's store gives no links")

// Trouble says why something came through the node that could have come by a link; nil where nothing failed.
func (d *Direct) Trouble() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trouble
}

// Close ends idle connections to stores.
func (d *Direct) Close() { d.stores.Close() }

// Fetch implements pull.Direct.
func (d *Direct) Fetch(ctx context.Context, want []pull.Want, fn func(stored []byte, refs []chunk.Ref) error) error {
	for len(want) > 0 && !d.paused() {
		n := min(len(want), v1.MaxLinkSpans)
		if err := d.fetch(ctx, want[:n], fn); err != nil {
			return err
		}
		want = want[n:]
	}
	return nil
}

// fetch asks for links and follows them. Its error is that of fn or ctx.
func (d *Direct) fetch(ctx context.Context, want []pull.Want, fn func(stored []byte, refs []chunk.Ref) error) error {
	asked := time.Now()
	links, err := d.links(ctx, want)
	if err != nil {
		return d.strike(ctx, err, maxStrikes)
	}
	if len(links.Ranges) == 0 {
		return nil // of these chunks none can be had so: of others perhaps
	}
	store, err := d.stores.Of(links.Origin, links.CA, links.Insecure)
	if err != nil {
		return d.strike(ctx, err, maxStrikes)
	}
	runsOut := asked.Add(time.Duration(links.Seconds) * time.Second)
	for _, r := range links.Ranges {
		if d.paused() || time.Now().After(runsOut) {
			return nil
		}
		own, err := d.read(ctx, store, r, fn)
		if own != nil {
			return own
		}
		if err := d.strike(ctx, err, 1); err != nil {
			return err
		}
	}
	return nil
}

// read reads the frames of a range. own is an error of fn.
func (d *Direct) read(ctx context.Context, store *ranged.Client, r v1.LinkRange, fn func(stored []byte, refs []chunk.Ref) error) (own, err error) {
	body, err := store.Get(ctx, r.Path, r.Offset, r.Length)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	buf := d.disk.buffer()
	defer d.disk.buffers.Put(buf)
	var refs []chunk.Ref
	for _, f := range r.Frames {
		stored := *buf
		if int(f.Stored) > len(stored) {
			stored = make([]byte, f.Stored) // at most wire.MaxRecord
		}
		stored = stored[:f.Stored]
		if _, err := io.ReadFull(body, stored); err != nil {
			return nil, err
		}
		refs = refs[:0]
		for _, c := range f.Chunks {
			refs = append(refs, chunk.Ref(c))
		}
		if err := fn(stored, refs); err != nil {
			return err, nil
		}
	}
	return nil, nil
}

func (d *Direct) paused() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.pausing)
}

// strike notes how a range or an answer came out: failures count as so many. It returns ctx's error only.
func (d *Direct) strike(ctx context.Context, err error, count int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.strikes = 0
		return nil
	}
	d.trouble = err
	if d.strikes += count; d.strikes >= maxStrikes {
		d.pausing = time.Now().Add(respite)
		d.strikes = maxStrikes - 1 // one more chance then
	}
	return nil
}
