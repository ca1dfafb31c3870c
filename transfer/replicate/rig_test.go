package replicate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/intake"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
	"loggia/transfer/serve"
	"loggia/transfer/serve/servetest"
	"loggia/transfer/wire"
)

// holder is a region as a source, over a wire as between nodes: what arrives lies in memory of the
// receiver's pool.
type holder struct {
	name  string
	view  *repository.View
	o     serve.Options
	there *buffer.Pool // of the receiver
	disk  Identity     // whose beginning is sent with its root, where this is not zero

	asked  atomic.Int64 // requests
	stored atomic.Int64 // bytes of frames sent
}

func newHolder(name string, from, to *servetest.Region) *holder {
	return &holder{name: name, view: from.View(), there: to.Scratch,
		o: serve.Options{Pool: from.Reads, Decoder: from.Decoder, Encoder: from.Encoder}}
}

func (h *holder) Name() string { return h.name }

func (h *holder) Fetch(ctx context.Context, want []chunk.ID, fn func(frames []Arrived) error) (missing []chunk.ID, err error) {
	h.asked.Add(1)
	// Before anything is asked for, as package peer does: who sends would hold memory while who receives has none to take it in.
	buf, err := h.there.Get(ctx, wire.MaxRecord)
	if err != nil {
		return nil, err
	}
	defer buf.Release()
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	defer context.AfterFunc(ctx, func() { r.CloseWithError(ctx.Err()) })()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer r.Close()
	defer cancel()
	sending.Go(func() {
		out := wire.NewWriter(w)
		want, err := serve.Beginning(ctx, h.view, h.disk.Root, h.disk.Table, want, h.o, out)
		if err == nil {
			_, err = serve.Frames(ctx, h.view, want, h.o, out)
		}
		w.CloseWithError(errors.Join(err, out.End()))
	})
	in := wire.NewReader(r, buf.Bytes())
	for {
		rec, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return missing, nil
		case err != nil:
			return missing, err
		case rec.Kind == wire.KindMissing:
			missing = append(missing, rec.IDs...)
			continue
		}
		h.stored.Add(int64(len(rec.Data)))
		if err := fn([]Arrived{{rec.Data, rec.Refs}}); err != nil {
			return missing, err
		}
	}
}

// pass is shown a frame.
type pass func(stored []byte, refs []chunk.Ref) error

// singly shows frames one by one.
func singly(fn pass) func(frames []Arrived) error {
	return func(frames []Arrived) error {
		for _, f := range frames {
			if err := fn(f.Stored, f.Refs); err != nil {
				return err
			}
		}
		return nil
	}
}

// source is a Source with behaviour of the test's, one frame at a time.
type source struct {
	Source
	fetch func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error)
}

func (s *source) Fetch(ctx context.Context, want []chunk.ID, fn func([]Arrived) error) ([]chunk.ID, error) {
	return s.fetch(ctx, want, func(stored []byte, refs []chunk.Ref) error { return fn([]Arrived{{stored, refs}}) })
}

// several shows what a source brings up to n frames at a time, once change has seen them.
type several struct {
	Source
	n      int
	change func(want []chunk.ID, frames []Arrived) // may be nil
}

func (s *several) Fetch(ctx context.Context, want []chunk.ID, fn func([]Arrived) error) ([]chunk.ID, error) {
	var held []Arrived
	show := func() error {
		frames := held
		held = nil
		if s.change != nil {
			s.change(want, frames)
		}
		return fn(frames)
	}
	missing, err := s.Source.Fetch(ctx, want, singly(func(stored []byte, refs []chunk.Ref) error {
		if held = append(held, Arrived{bytes.Clone(stored), slices.Clone(refs)}); len(held) < s.n {
			return nil
		}
		return show()
	}))
	if err == nil && len(held) > 0 {
		err = show()
	}
	return missing, err
}

// altered shows every frame of a source to fn before it arrives.
func altered(s Source, alter func(n int, stored []byte, refs []chunk.Ref, pass pass) error) *source {
	var n atomic.Int64
	return &source{Source: s, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
		return s.Fetch(ctx, want, singly(func(stored []byte, refs []chunk.Ref) error {
			return alter(int(n.Add(1)), stored, refs, fn)
		}))
	}}
}

func identity(d intake.Result) Identity { return Identity{Root: d.Root, Table: d.Table} }

// meterOf checks that progress never falls, and keeps the last.
type meterOf struct {
	t    testing.TB
	last Progress
}

func (m *meterOf) tell(p Progress) {
	l := m.last
	if p.Total < l.Total || p.Have < l.Have || p.Sent < l.Sent || p.Wire < l.Wire || p.Have+p.Sent > p.Total {
		m.t.Errorf("progress from %+v to %+v", l, p)
	}
	m.last = p
}

func optionsFor(t testing.TB, to *servetest.Region, d intake.Result, m *meterOf, sources ...Source) Options {
	return Options{Disk: identity(d), Sources: sources, TempDir: t.TempDir(), Pool: to.Scratch, Decoder: to.Decoder, Progress: m.tell}
}

// copyTo runs a copy under a claim of its own and commits it where it succeeds.
func copyTo(t testing.TB, to *servetest.Region, d intake.Result, base Identity, adopt []uint64, sources ...Source) (Progress, error) {
	t.Helper()
	v := to.View()
	w := to.Writer(v, adopt...)
	m := &meterOf{t: t}
	o := optionsFor(t, to, d, m, sources...)
	o.Base = base
	if err := Run(t.Context(), NewTarget(v, w), o); err != nil {
		w.Close()
		return m.last, err
	}
	if p := m.last; p.Have+p.Sent != p.Total {
		t.Errorf("at the end %+v", p)
	}
	to.Finish(w, d)
	return m.last, nil
}

func testDecoder(t testing.TB) *codec.Decoder {
	t.Helper()
	dec, err := codec.NewDecoder(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dec.Close)
	return dec
}

// check reads the second disk through a writer that has everything.
func check(t testing.TB, w *world, out *repository.Writer) {
	t.Helper()
	ctx := t.Context()
	root, err := manifest.Open(ctx, out, w.v2.Root)
	if err != nil {
		t.Fatal(err)
	}
	got := make(servetest.Disk, root.Length)
	err = manifest.Walk(ctx, out, root, func(span int64, leaf *manifest.Leaf) error {
		at := span * int64(root.Params.Span)
		for _, e := range leaf.Entries {
			if !e.Hole() {
				b, err := out.ReadChunk(ctx, e.ID)
				if err != nil {
					return err
				}
				copy(got[at:], b)
			}
			at += int64(e.Length)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, w.d2) {
		t.Fatal("the target holds another disk")
	}
}
