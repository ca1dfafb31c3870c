package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/publish"
)

func TestPublishAndReadBack(t *testing.T) {
	r := seeded(t)
	for range 3 {
		d := randomDisk(r, 512*(1+r.IntN(50_000)))
		g := newRegion(t)
		res, sent := g.publish(d)
		g.check(res, d)
		if res.Size != d.Size() || res.Data != sent.Data || res.New != sent.SentStored {
			t.Errorf("node %+v\nclient %+v", res, sent)
		}
	}
}

func TestAllHole(t *testing.T) {
	g, d := newRegion(t), make(disk, 3<<20)
	res, _ := g.publish(d)
	g.live = res.Segments
	g.check(res, d)
}

// TestSharedBasesAreReadOnce holds that three bases which are nearly equal cost hardly more requests than one, and
// that the client is told of their chunks without reading them again.
func TestSharedBasesAreReadOnce(t *testing.T) {
	r, g := seeded(t), newRegion(t)
	d := randomDisk(r, 40<<20)
	var bases []chunk.ID
	for range 3 {
		res, _ := g.publish(d, bases...)
		bases = append(bases, res.Root)
		d = bytes.Clone(d)
		d[r.IntN(len(d))]++
	}
	cost := func(bases ...chunk.ID) (opening, telling int64) {
		before := g.repo.Requests()
		s := g.open(d, nil, bases...)
		opening = g.repo.Requests() - before
		seen := 0
		if err := s.Known(t.Context(), func(chunk.ID) error { seen++; return nil }); err != nil || seen == 0 {
			t.Fatal(seen, err)
		}
		return opening, g.repo.Requests() - before - opening
	}
	one, _ := cost(bases[:1]...)
	three, telling := cost(bases...)
	if three > one+8 || telling > 0 {
		t.Errorf("opening with one base took %d requests, with three %d and %d to tell of them", one, three, telling)
	}
}

func TestBaseVersionIsNotSentAgain(t *testing.T) {
	r, g := seeded(t), newRegion(t)
	v1 := randomDisk(r, 24<<20)
	first, _ := g.publish(v1)
	v2 := changed(r, v1, 5)
	second, sent := g.publish(v2, first.Root)
	g.check(second, v2)
	g.check(first, v1)
	if most := int64(5 * 4 * 128 << 10); sent.SentPlain > most {
		t.Errorf("sent %d bytes for five small changes, want at most %d", sent.SentPlain, most)
	}
}

// What the repository holds for others must be sent by who does not name it, and is not told.
func TestChunksOfOthersAreUnknown(t *testing.T) {
	r, g := seeded(t), newRegion(t)
	d := denseStart(r, 4<<20)
	first, sent := g.publish(d)
	second, again := g.publish(d)
	if again.SentPlain != sent.SentPlain || first.Root != second.Root {
		t.Errorf("first sent %d bytes, then %d", sent.SentPlain, again.SentPlain)
	}
	// A leaf alone, whose chunks the repository holds, does not make a version.
	s := g.open(d, nil)
	send(t, s, func(b *batch) { b.leaf(0, leafOf(t, d, 0)) })
	root := digest.Of([]byte("any"))
	if _, err := s.Commit(context.Background(), root); !errors.Is(err, ErrUnresolved) {
		t.Errorf("got %v, want %v", err, ErrUnresolved)
	}
}

func TestCommitIsIdempotent(t *testing.T) {
	r, g := seeded(t), newRegion(t)
	d := randomDisk(r, 3<<20)
	s := g.open(d, nil)
	sent, err := publish.Run(context.Background(), &remote{s: s}, d, clientOptions())
	if err != nil {
		t.Fatal(err)
	}
	var wrong *RootError
	if _, err := s.Commit(context.Background(), digest.Of([]byte("x"))); !errors.Is(err, ErrRoot) || !errors.As(err, &wrong) || wrong.Got != sent.Root {
		t.Fatalf("wrong root: got %v", err)
	}
	first := g.commit(s, sent.Root)
	again, err := s.Commit(context.Background(), sent.Root)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("first %+v\nagain %+v, %v", first, again, err)
	}
	g.check(first, d)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(context.Background(), sent.Root); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A publish is cut at random points, each time with a session that is never heard of again. The
// successors send little again and end with the same root.
func TestResumeAfterCrashes(t *testing.T) {
	r := seeded(t)
	d := randomDisk(r, 160<<20)
	whole, plain := newRegion(t).publish(d)
	g := newRegion(t)
	var epochs []uint64
	var sent int64
	crashes := 0
	for ; crashes < 4; crashes++ {
		s := g.open(d, epochs)
		epochs = append(epochs, s.Epoch)
		stored, root, err := crash(g, s, d, 5+r.IntN(25))
		sent += stored
		if err == nil {
			g.check(g.commit(s, root), d)
			break
		}
		s.Close()
	}
	if crashes == 4 {
		s := g.open(d, epochs)
		rem := &remote{s: s}
		res, err := publish.Run(context.Background(), rem, d, clientOptions())
		if err != nil {
			t.Fatal(err)
		}
		sent += rem.stored
		got := g.commit(s, res.Root)
		if got.Root != whole.Root {
			t.Errorf("root %s, want %s", got.Root.Short(), whole.Root.Short())
		}
		g.check(got, d)
	}
	again := sent - plain.SentStored
	t.Logf("%d crashes, %d MiB sent, %d MiB of them again", crashes, sent>>20, again>>20)
	// Frames are cut anew around what is known, so a few more bytes are no fault.
	if most := int64(crashes)*64<<20 + plain.SentStored/100; again > most {
		t.Errorf("sent %d bytes again, want at most %d", again, most)
	}
}

var errCrash = errors.New("crash")

// crash publishes until so many batches are sent.
func crash(g *region, s *Session, d disk, batches int) (stored int64, root digest.Digest, err error) {
	rem := &remote{s: s, fail: func(sent int) error {
		if sent >= batches {
			return errCrash
		}
		return nil
	}}
	res, err := publish.Run(context.Background(), rem, d, clientOptions())
	if err != nil && !errors.Is(err, errCrash) {
		g.t.Fatal(err)
	}
	return rem.stored, res.Root, err
}

// The same session goes on for a client that comes back: it is sent nothing twice that was accepted.
func TestClientComesBack(t *testing.T) {
	r, g := seeded(t), newRegion(t)
	d := randomDisk(r, 40<<20)
	_, plain := newRegion(t).publish(d)
	s := g.open(d, nil)
	first, _, err := crash(g, s, d, 4)
	if err == nil {
		t.Fatal("the publish was not cut")
	}
	rem := &remote{s: s}
	res, err := publish.Run(context.Background(), rem, d, clientOptions())
	if err != nil {
		t.Fatal(err)
	}
	// Batches that were accepted are all that counts: those cut by the crash may come again.
	if again := first + rem.stored - plain.SentStored; again > 4*(2<<20) {
		t.Errorf("%d bytes were sent again", again)
	}
	g.check(g.commit(s, res.Root), d)
}

func TestCommitAfterCrashBeforeTheLogKnew(t *testing.T) {
	r, g := seeded(t), newRegion(t)
	d := randomDisk(r, 6<<20)
	d[0] = 1 // a disk that is one hole has no spans
	s := g.open(d, nil)
	sent, err := publish.Run(context.Background(), &remote{s: s}, d, clientOptions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(context.Background(), sent.Root); err != nil {
		t.Fatal(err)
	}
	s.Close()
	next := g.open(d, []uint64{s.Epoch})
	n := 0
	if err := next.Spans(context.Background(), func(manifest.SpanRef) error { n++; return nil }); err != nil || n == 0 {
		t.Fatalf("%d spans, %v", n, err)
	}
	rem := &remote{s: next}
	if _, err := publish.Run(context.Background(), rem, make(disk, len(d)), clientOptions()); err != nil {
		t.Fatal(err)
	}
	if rem.sent != 0 {
		t.Errorf("%d batches were sent again", rem.sent)
	}
	g.check(g.commit(next, sent.Root), d)
}

// Batches arrive in any order, and some twice.
func TestBatchesReorderedAndRepeated(t *testing.T) {
	r, g := seeded(t), newRegion(t)
	d := randomDisk(r, 24<<20)
	k := &keepAll{}
	opts := clientOptions()
	sent, err := publish.Run(context.Background(), k, d, opts)
	if err != nil {
		t.Fatal(err)
	}
	all := append(k.batches, k.batches[:len(k.batches)/2]...)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	s := g.open(d, nil)
	errs := make(chan error, len(all))
	for _, b := range all {
		go func() { errs <- s.Batch(context.Background(), 0, bytes.NewReader(b)) }()
	}
	for range all {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	g.check(g.commit(s, sent.Root), d)
}

// keepAll is a Remote that keeps the batches.
type keepAll struct {
	mu      sync.Mutex
	batches [][]byte
}

func (k *keepAll) Send(_ context.Context, _ int, b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.batches = append(k.batches, bytes.Clone(b))
	return nil
}

func (k *keepAll) Known(context.Context, func(chunk.ID) error) error         { return nil }
func (k *keepAll) Spans(context.Context, func(manifest.SpanRef) error) error { return nil }
