package pull

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/serve"
	"loggia/transfer/serve/servetest"
)

// byRanges is the way past a node: it reads ranges from the store, as links would.
type byRanges struct {
	g      *servetest.Region
	n      *node
	alter  func(stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error
	err    error // at the end of each call
	frames atomic.Int64
}

func (d *byRanges) Fetch(ctx context.Context, want []Want, fn func([]byte, []chunk.Ref) error) error {
	var ids []chunk.ID
	for _, w := range want {
		ids = append(ids, w.IDs...)
	}
	ranges, err := serve.Ranges(d.n.view, ids, func(chunk.ID) bool { return true })
	if err != nil {
		return err
	}
	for _, x := range ranges {
		if err := d.read(ctx, x, fn); err != nil {
			return err
		}
	}
	return d.err
}

func (d *byRanges) read(ctx context.Context, x serve.Range, fn func([]byte, []chunk.Ref) error) error {
	loc := x.First
	body, err := d.g.Store.Get(ctx, d.g.Repo.Keys.Pack(loc.Kind, loc.Epoch, loc.Pack), loc.FrameOffset, x.Length)
	if err != nil {
		return err
	}
	defer body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(body); err != nil {
		return err
	}
	for _, f := range x.Frames {
		d.frames.Add(1)
		stored := b.Next(int(f.Stored))
		if d.alter == nil {
			err = fn(stored, f.Refs)
		} else {
			err = d.alter(stored, f.Refs, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// direct makes a rig whose pulls go past the node.
func direct(t *testing.T) (*rig, *node, *byRanges, Options) {
	t.Helper()
	g := newRig(t, 20<<20+512)
	n, d, o := g.direct()
	return g, n, d, o
}

func (g *rig) direct() (*node, *byRanges, Options) {
	n := newNode(g.g, g.d)
	d := &byRanges{g: g.g, n: n}
	o := g.options()
	o.Direct = d
	return n, d, o
}

func TestDirect(t *testing.T) {
	g, n, _, o := direct(t)
	p, err := Run(t.Context(), n, o)
	if err != nil {
		t.Fatal(err)
	}
	g.check()
	if p.Done() != p.Total || p.Wire != p.Direct+n.stored.Load() || p.Direct < 9*p.Wire/10 {
		t.Errorf("%+v, %d through the node", p, n.stored.Load())
	}
}

// TestDirectFallsBack: what the way past the node does not give, or gives wrongly, comes through the node, and no more than that.
func TestDirectFallsBack(t *testing.T) {
	broken := errors.New("the store is gone")
	nth := 0 // of all frames of a case
	published := newRig(t, 20<<20+512)
	for name, c := range map[string]struct {
		alter func(stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error
		err   error
		least float64 // share of the wire that is direct
		most  float64
	}{
		"nothing": {func([]byte, []chunk.Ref, func([]byte, []chunk.Ref) error) error { return broken }, nil, 0, 0},
		"a part, and then it fails": {func(stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
			if nth++; nth%20 == 0 {
				return broken
			}
			return pass(stored, refs)
		}, broken, 0.05, 0.9},
		"each frame, and fails": {nil, broken, 0.9, 1},
		"flipped bits": {func(stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
			if nth++; nth%2 == 0 {
				stored = bytes.Clone(stored)
				stored[nth*7919%len(stored)] ^= 1
			}
			return pass(stored, refs)
		}, nil, 0.3, 0.9},
		"half a frame's chunks wrong": {func(stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
			wrong := append([]chunk.Ref(nil), refs...)
			wrong[len(wrong)/2].Length++
			return pass(stored, wrong)
		}, nil, 0.3, 0.7},
		"other frames": {func(stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
			return pass(stored, []chunk.Ref{{ID: chunk.Hash(stored), Length: 1}})
		}, nil, 0.3, 0.7},
		"no frames": {func(_ []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
			return pass([]byte("<html>"), refs)
		}, nil, 0, 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			g := *published
			g.t, g.out = t, filepath.Join(t.TempDir(), "disk.raw")
			n, d, o := g.direct()
			o.InFlight = 1 // alter is called by one goroutine
			d.alter, d.err, nth = c.alter, c.err, 0
			p, err := Run(t.Context(), n, o)
			if err != nil {
				t.Fatal(err)
			}
			g.check()
			if share := float64(p.Direct) / float64(p.Wire); share < c.least || share > c.most {
				t.Errorf("%+v: a share of %.2f, want %.2f to %.2f", p, share, c.least, c.most)
			}
			if p.Done() != p.Total || p.Wire-p.Direct > g.d.New+g.d.New/4 {
				t.Errorf("%+v: more than once through the node", p)
			}
		})
	}
}

// TestDirectFlood: a way past the node that sends without end what nobody wants is left.
func TestDirectFlood(t *testing.T) {
	g, n, d, o := direct(t)
	o.InFlight = 1
	var useless int64
	d.alter = func(stored []byte, _ []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
		for {
			useless += int64(len(stored))
			if err := pass(stored, []chunk.Ref{{ID: chunk.Hash(nil), Length: 1}}); err != nil {
				return err
			}
		}
	}
	if _, err := Run(t.Context(), n, o); err != nil {
		t.Fatal(err)
	}
	g.check()
	if limit := 20*g.d.Data + 64<<20; useless > limit {
		t.Errorf("%d useless bytes were taken, want at most %d", useless, limit)
	}
}

// TestDirectFailures: what concerns the output or the caller ends the pull.
func TestDirectFailures(t *testing.T) {
	t.Run("canceled", func(t *testing.T) {
		g, n, d, o := direct(t)
		ctx, cancel := context.WithCancel(t.Context())
		o.InFlight = 1 // other requests may have gone to the node already
		before := int64(-1)
		d.alter = func([]byte, []chunk.Ref, func([]byte, []chunk.Ref) error) error {
			before = int64(n.requests.Load())
			cancel()
			return ctx.Err()
		}
		if _, err := Run(ctx, n, o); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if after := int64(n.requests.Load()); after != before {
			t.Errorf("the node was asked %d times for what was no longer wanted", after-before)
		}
		g.unfinished(1)
	})
	t.Run("both give nothing", func(t *testing.T) {
		_, n, d, o := direct(t)
		d.alter = func([]byte, []chunk.Ref, func([]byte, []chunk.Ref) error) error { return errors.New("gone") }
		n.alter = func(_ int, stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
			stored = bytes.Clone(stored)
			stored[len(stored)-1] ^= 1
			return pass(stored, refs)
		}
		if _, err := Run(t.Context(), n, o); !errors.Is(err, ErrVerification) {
			t.Errorf("got %v, want %v", err, ErrVerification)
		}
	})
}
