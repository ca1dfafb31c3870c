package bare

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"loggia/blobstore/compose"
	"loggia/blobstore/limit"
	"loggia/blobstore/probe"
	"loggia/transfer/buffer"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
	"loggia/transfer/repository"
)

// The two regions.
const (
	regionA = "a"
	regionB = "b"
)

// domain is the place of the repository in a bucket.
const domain = "0123456789abcdef"

// Memory of a region's transfers, in bytes: every pack that a Writer has open, frames being read, and one being unpacked.
const (
	packBuffers    = 48 << 20
	readBuffers    = 64 << 20
	scratchBuffers = 12 << 20
)

// region is a repository in a region's store as the state knows it, and the memory to work on it.
type region struct {
	task                  *task
	name                  string
	view                  *repository.View
	packs, reads, scratch *buffer.Pool
	enc                   *codec.Encoder
	dec                   *codec.Decoder
}

// prepare asks both stores what checksum they enforce, as a node does once when it begins.
func (t *task) prepare(ctx context.Context) error {
	for _, name := range []string{regionA, regionB} {
		s, err := t.dial(name, "")
		if err != nil {
			return err
		}
		found, err := probe.Probe(ctx, s, probe.Options{Now: time.Now})
		if err != nil {
			return fmt.Errorf("probe the store of %s: %w", name, err)
		}
		t.known.Checksums[name] = found.Checksum
	}
	return nil
}

// region opens one; it is to be closed.
func (t *task) region(ctx context.Context, name string) (*region, error) {
	store, err := t.dial(name, t.known.Checksums[name])
	if err != nil {
		return nil, err
	}
	r := &region{task: t, name: name, packs: buffer.New(packBuffers), reads: buffer.New(readBuffers), scratch: buffer.New(scratchBuffers)}
	if r.enc, err = codec.NewEncoder(runtime.GOMAXPROCS(0), frame.MaxPlain); err != nil {
		return nil, err
	}
	if r.dec, err = codec.NewDecoder(runtime.GOMAXPROCS(0)); err != nil {
		return nil, err
	}
	keys, err := repository.NewKeys(domain, 0)
	if err != nil {
		return nil, err
	}
	repo, err := repository.New(repository.Options{Store: compose.Wrap(store, compose.Options{Name: name, Limiter: limit.New(limit.Options{})}),
		Keys: keys, Cache: filepath.Join(t.work, "segments-"+name), Pool: r.reads, Decoder: r.dec})
	if err != nil {
		return nil, err
	}
	r.view, err = repo.Open(ctx, t.known.Live[name])
	return r, err
}

func (r *region) close() error {
	r.dec.Close()
	return errors.Join(r.enc.Close(), r.view.Close())
}

// writer begins a claim that nobody granted.
func (r *region) writer(ctx context.Context) (*repository.Writer, error) {
	r.task.known.Epoch++
	return r.view.NewWriter(ctx, repository.WriterOptions{Epoch: r.task.known.Epoch, View: r.view, Pool: r.packs, Encoder: r.enc})
}

// commit makes what was written durable and notes it.
func (r *region) commit(ctx context.Context, w *repository.Writer, d disk) error {
	refs, err := w.Finish(ctx, d.Root, d.Table, d.Size)
	if err != nil {
		return err
	}
	live := r.task.known.Live
	live[r.name] = append(refs, live[r.name]...)
	return nil
}
