package repository

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/pack"
)

func encode(t testing.TB, g *rig, plain []byte) []byte {
	t.Helper()
	stored, _, err := frame.Encode(nil, plain, g.enc)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

var errCrash = errors.New("crash")

// A successor sends again only what was not durable when its predecessor died, wherever that was.
func TestSuccessorAdopts(t *testing.T) {
	for crash := range int64(6) {
		g := newRig(t)
		var puts atomic.Int64
		g.store.fail = func(string) error {
			if puts.Add(1) > crash {
				return errCrash
			}
			return nil
		}
		frames := g.frames(t, 400, 6, 50_000)
		w := g.writer(t, 1, nil)
		var err error
		for i, m := range frames {
			kind := pack.Data
			if i%10 == 0 {
				kind = pack.Nodes
			}
			if err = w.Add(t.Context(), kind, 0, m.stored, m.id, uint32(len(m.plain)), m.refs); err != nil {
				break
			}
		}
		if err == nil {
			_, err = w.Finish(t.Context(), digest.Of(nil), digest.Of(nil), 1)
		}
		if !errors.Is(err, errCrash) {
			t.Fatalf("the predecessor ended with %v", err)
		}
		w.Close()
		g.store.fail = nil
		checkSuccessor(t, g, frames, crash)
	}
}

func checkSuccessor(t *testing.T, g *rig, frames []made, durable int64) {
	t.Helper()
	w := g.writer(t, 2, nil)
	found, err := w.Adopt(t.Context(), []uint64{1}, nil)
	if err != nil || int64(found.Packs) > durable || found.Packs == 0 && durable > 1 {
		t.Fatalf("adopted %+v of %d objects, %v", found, durable, err)
	}
	var sent, held int64
	for _, m := range frames {
		ok, err := w.Has(m.refs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			held += int64(len(m.stored))
			continue
		}
		m.add(t, w, pack.Data)
		sent += int64(len(m.stored))
	}
	if held != found.Stored {
		t.Errorf("frames of %d bytes were there, %d adopted", held, found.Stored)
	}
	refs, err := w.Finish(t.Context(), digest.Of(nil), digest.Of(nil), 1)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, open(t, g.repo, refs), frames)
	if got := w.Stats().StoredBytes; got != sent {
		t.Errorf("stats say %d bytes were sent, want %d", got, sent)
	}
}

func TestAdoptPassesOverWhatIsNoPack(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 1, nil)
	frames := g.frames(t, 4, 5, 1000)
	for _, m := range frames {
		m.add(t, w, pack.Data)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	packs := append([]string(nil), g.store.puts...)
	put := func(key string, b []byte) {
		t.Helper()
		if err := g.store.Put(t.Context(), key, b); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := readAll(t.Context(), g.store, packs[0], 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	dir := g.repo.Keys.Packs(pack.Data, 1)
	put(dir+"not-a-digest", whole)
	put(dir+digest.Of([]byte("x")).String(), whole)                                                 // another pack's bytes
	put(g.repo.Keys.Packs(pack.Nodes, 1)+strings.TrimPrefix(packs[0], dir), whole)                  // another kind
	put(packs[1], append(bytes.Clone(mustRead(t, g, packs[1])), 0))                                 // a byte more
	put(packs[2], flip(mustRead(t, g, packs[2]), len(mustRead(t, g, packs[2]))-pack.TrailerSize-3)) // its directory

	next := g.writer(t, 2, nil)
	found, err := next.Adopt(t.Context(), []uint64{1}, func(key string) bool { return key == packs[3] })
	if err != nil || found.Packs != 1 || found.Bad != 5 {
		t.Errorf("adopted %+v, %v, want 1 pack and 5 bad objects", found, err)
	}
	holds(t, next, frames[:1])
	for i, m := range frames[1:] {
		if ok, err := next.Has(m.refs[0].ID); ok || err != nil {
			t.Errorf("chunk of bad or condemned pack %d is there: %v, %v", i+1, ok, err)
		}
	}
	if _, err := next.Adopt(t.Context(), []uint64{2}, nil); err == nil {
		t.Error("a writer adopted its own epoch")
	}
}

func mustRead(t *testing.T, g *rig, key string) []byte {
	t.Helper()
	b, err := readAll(t.Context(), g.store, key, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// finished writes some frames and returns what the log would know.
func finished(t *testing.T, g *rig) ([]made, []SegmentRef) {
	t.Helper()
	w := g.writer(t, 1, nil)
	frames := g.frames(t, 5, 5, 10_000)
	for _, m := range frames {
		m.add(t, w, pack.Data)
	}
	refs, err := w.Finish(t.Context(), digest.Of(nil), digest.Of(nil), 1)
	if err != nil {
		t.Fatal(err)
	}
	return frames, refs
}

func TestDamagedPack(t *testing.T) {
	g := newRig(t)
	frames, refs := finished(t, g)
	v := open(t, g.repo, refs)
	id := frames[2].refs[0].ID
	loc, ok, err := v.Lookup(id)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	key := g.repo.Keys.Pack(loc.Kind, loc.Epoch, loc.Pack)
	good := mustRead(t, g, key)
	read := func() []error {
		_, frameErr := v.ReadFrame(t.Context(), loc, nil)
		_, chunkErr := v.ReadChunk(t.Context(), id)
		_, nodeErr := v.Node(t.Context(), id)
		framesErr := v.ReadFrames(t.Context(), []index.Location{loc}, ReadOptions{}, func(index.Location, []byte, []byte) error { return nil })
		return []error{frameErr, chunkErr, nodeErr, framesErr}
	}
	put := func(b []byte) {
		t.Helper()
		if err := g.store.Put(t.Context(), key, b); err != nil {
			t.Fatal(err)
		}
	}
	for name, bad := range map[string][]byte{"bit flipped": flip(good, int(loc.FrameOffset)+30), "cut off": good[:loc.FrameOffset+5]} {
		put(bad)
		for i, err := range read() {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: read %d: %v, want ErrDamaged", name, i, err)
			}
		}
	}
	if err := g.store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	for i, err := range read() {
		if !errors.Is(err, ErrMissing) || !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("pack gone: read %d: %v, want ErrMissing and ErrNotFound", i, err)
		}
	}
	put(good)
	for i, err := range read() {
		if err != nil {
			t.Errorf("repaired: read %d: %v", i, err)
		}
	}
}

// A frame that is what its id says, but whose chunks are not what the index says, is damage too.
func TestFrameWithOtherChunks(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 1, nil)
	m := g.frames(t, 1, 1, 1000)[0]
	m.refs[0].ID = digest.Of([]byte("a lie"))
	m.add(t, w, pack.Data)
	if _, err := w.ReadChunk(t.Context(), m.refs[0].ID); !errors.Is(err, ErrDamaged) {
		t.Errorf("pending: %v, want ErrDamaged", err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadChunk(t.Context(), m.refs[0].ID); !errors.Is(err, ErrDamaged) {
		t.Errorf("durable: %v, want ErrDamaged", err)
	}
}

func TestDamagedSegment(t *testing.T) {
	g := newRig(t)
	frames, refs := finished(t, g)
	key, local := g.repo.Keys.Segment(refs[0].Epoch, refs[0].ID), g.repo.segmentPath(refs[0].ID)
	good := mustRead(t, g, key)

	if err := os.Truncate(local, 100); err != nil {
		t.Fatal(err)
	}
	holds(t, open(t, g.repo, refs), frames) // fetched anew

	if err := os.Remove(local); err != nil {
		t.Fatal(err)
	}
	if err := g.store.Put(t.Context(), key, flip(good, 200)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.repo.Open(t.Context(), refs); !errors.Is(err, ErrDamaged) {
		t.Errorf("bit flipped: %v, want ErrDamaged", err)
	}
	if err := g.store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := g.repo.Open(t.Context(), refs); !errors.Is(err, ErrMissing) {
		t.Errorf("gone: %v, want ErrMissing", err)
	}
	if left, _ := filepath.Glob(filepath.Join(g.repo.Cache, fetchPrefix+"*")); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
}

// short is a store whose bodies end early.
type short struct{ blobstore.Store }

func (s short) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	r, err := s.Store.Get(ctx, key, off, n)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.LimitReader(r, 40)), nil
}

func TestShortBody(t *testing.T) {
	g := newRig(t)
	frames, refs := finished(t, g)
	v := open(t, g.repo, refs)
	g.repo.Store = short{g.store}
	if _, err := v.ReadChunk(t.Context(), frames[0].refs[0].ID); !errors.Is(err, ErrDamaged) {
		t.Errorf("ReadChunk: %v, want ErrDamaged", err)
	}
}
