package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"loggia/api/v1"
	"loggia/gallery"
	"loggia/transfer/chunk"
	"loggia/transfer/pull"
	"loggia/transfer/wire"
)

// Disk is one disk of a version as package pull wants it. A request that breaks is sent again, to
// another node where there is one; frames that came twice are harmless.
type Disk struct {
	c    *Client
	path string

	buffers sync.Pool // *[]byte of usualRecord bytes, one for each request under way
}

// Disk returns a disk of a version; lun is -1 for the OS disk.
func (c *Client) Disk(g, i, v string, lun int) *Disk {
	name := "os"
	if lun >= 0 {
		name = fmt.Sprint(lun)
	}
	return &Disk{c: c, path: versionPath(g, i, v, "disks", name)}
}

// tries bounds how often one request is sent, with the pause between: two minutes in all.
const (
	tries = 60
	pause = 2 * time.Second
)

// Tree starts to read the manifest.
func (d *Disk) Tree(ctx context.Context) (pull.NodeReader, error) {
	t := &tree{d: d, ctx: ctx, buf: make([]byte, wire.MaxNode+64<<10)}
	return t, d.again(ctx, t.open)
}

// again calls fn until it does not fail for want of a node.
func (d *Disk) again(ctx context.Context, fn func() error) error {
	for n := 1; ; n++ {
		err := fn()
		if err == nil || ctx.Err() != nil || n == tries || !broken(err) {
			return err
		}
		d.c.Next()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// broken says whether the same request may succeed elsewhere or later.
func broken(err error) bool {
	var remote *wire.RemoteError
	if errors.As(err, &remote) {
		return remote.Code == string(gallery.ErrUnavailable) || remote.Code == string(gallery.ErrInternal)
	}
	return errors.Is(err, gallery.ErrUnavailable) || errors.Is(err, gallery.ErrNoLeader) || errors.Is(err, wire.ErrTruncated) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errRead)
}

// errRead marks failures of a connection in the middle of an answer.
var errRead = errors.New("connection broke")

// tree reads the manifest's nodes, and after a break passes over those it has given already.
type tree struct {
	d     *Disk
	ctx   context.Context
	body  io.ReadCloser
	in    *wire.Reader
	buf   []byte
	given int
}

func (t *tree) open() error {
	resp, err := t.d.c.open(t.ctx, call{method: get, path: t.d.path + "/tree"})
	if err != nil {
		return err
	}
	t.Close()
	t.body, t.in = resp.Body, wire.NewReader(resp.Body, t.buf)
	for range t.given {
		if _, err := t.in.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Next returns a node, or io.EOF behind the last.
func (t *tree) Next() ([]byte, error) {
	rec, err := t.in.Next()
	if err != nil && !errors.Is(err, io.EOF) && t.ctx.Err() == nil {
		err = t.d.again(t.ctx, func() error {
			if err := t.open(); err != nil {
				return err
			}
			rec, err = t.in.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	if rec.Kind != wire.KindNode {
		return nil, fmt.Errorf("a %s record in a tree", rec.Kind)
	}
	t.given++
	return rec.Data, nil
}

// Close ends the stream.
func (t *tree) Close() error {
	if t.body == nil {
		return nil
	}
	return t.body.Close()
}

// Fetch implements pull.Source.
func (d *Disk) Fetch(ctx context.Context, want []pull.Want, checked bool, fn func(stored []byte, refs []chunk.Ref) error) error {
	body, err := asking(want)
	if err != nil {
		return err
	}
	return d.again(ctx, func() error { return d.fetch(ctx, body, checked, fn) })
}

func (d *Disk) fetch(ctx context.Context, body []byte, checked bool, fn func(stored []byte, refs []chunk.Ref) error) error {
	q := call{method: http.MethodPost, path: d.path + "/frames", body: body}
	if !checked {
		q.header = map[string]string{v1.UncheckedHeader: "1"}
	}
	resp, err := d.c.open(ctx, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	buf := d.buffer()
	defer d.buffers.Put(buf)
	in := wire.NewReader(resp.Body, *buf)
	in.Grow = func(n int) ([]byte, error) { return make([]byte, n), nil } // n is at most wire.MaxRecord
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, wire.ErrLimit) {
			return err
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errRead, err)
		}
		switch rec.Kind {
		case wire.KindFrame:
			if err := fn(rec.Data, rec.Refs); err != nil {
				return err
			}
		case wire.KindMissing:
			return &gallery.Error{Kind: gallery.ErrVerification, Op: "pull", Message: fmt.Sprintf("the region lacks %d chunks that its manifest names", len(rec.IDs))}
		default:
			return fmt.Errorf("a %s record among frames", rec.Kind)
		}
	}
}

// buffer takes one of buffers, or makes one.
func (d *Disk) buffer() *[]byte {
	buf, _ := d.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new(make([]byte, usualRecord))
	}
	return buf
}

// usualRecord holds the frames that publishers make; a longer one gets memory of its own.
const usualRecord = 1 << 20
