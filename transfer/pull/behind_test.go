package pull

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/chunk"
	"loggia/transfer/serve/servetest"
)

// TestBehind stores pieces in any order by several goroutines, more than is held at once, and finds them all.
func TestBehind(t *testing.T) {
	r := servetest.Random(t)
	want := make([]byte, 5*behindSize+3)
	for i := range want {
		want[i] = byte(r.Uint32())
	}
	p := newFile(t, int64(len(want)), true)
	b := newBehind(p.out, p.done)
	var pieces []placed
	for lo := 0; lo < len(want); {
		n := min(len(want)-lo, 1+r.IntN(uncachedLeast))
		pieces = append(pieces, placed{chunk.Hash(want[lo : lo+n]), int64(lo)})
		lo += n
	}
	end := func(i int) int64 {
		if i+1 < len(pieces) {
			return pieces[i+1].at
		}
		return int64(len(want))
	}
	order := r.Perm(len(pieces))
	var g errgroup.Group
	for worker := range 4 {
		g.Go(func() error {
			for i := worker; i < len(order); i += 4 {
				x := order[i]
				data := bytes.Clone(want[pieces[x].at:end(x)])
				err := errors.Join(b.store(data, pieces[x].at), b.add(pieces[x:x+1]))
				clear(data) // it is the caller's again
				if err != nil {
					return err
				}
			}
			return b.wait()
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, x := range pieces {
		at, ok, err := p.done.Get(x.id)
		if !ok || err != nil || !p.out.holds(make([]byte, end(i)-x.at), x.id, int64(at)) {
			t.Fatalf("piece at %d after wait: at %d, %v, %v", x.at, at, ok, err)
		}
	}
	if err := errors.Join(b.store([]byte("last"), 0), b.close()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	copy(want, "last")
	if _, err := p.out.file.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the file is another one; %v", err)
	}
	if err := p.out.close(true); err != nil {
		t.Fatal(err)
	}
}

// TestBehindFails: who stores after a write has failed is told, and so is who waits; nobody waits for ever, and no chunk is said to be there.
func TestBehindFails(t *testing.T) {
	p := newFile(t, 1<<20, true)
	b := newBehind(p.out, p.done)
	if err := p.out.file.Close(); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, uncachedLeast)
	var err error
	for range 4 * behindSize / len(data) {
		if err = b.store(data, 0); err != nil {
			break
		}
		_ = b.add([]placed{{chunk.Hash(data), 0}})
	}
	for what, err := range map[string]error{"store": err, "store again": b.store(data, 0), "add": b.add(nil), "wait": b.wait(), "close": b.close()} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, ok, err := p.done.Get(chunk.Hash(data)); ok || err != nil {
		t.Errorf("said to be there: %v %v", ok, err)
	}
}
