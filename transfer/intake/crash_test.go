package intake

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/memory"
	"loggia/transfer/publish"
)

// dying is a store that takes so many objects and then no more, as one that a crashed node wrote to.
type dying struct {
	blobstore.Store
	left atomic.Int64
}

func (d *dying) Put(ctx context.Context, key string, data []byte) error {
	if d.left.Add(-1) < 0 {
		return fmt.Errorf("put %s: %w", key, blobstore.ErrUnavailable)
	}
	return d.Store.Put(ctx, key, data)
}

// A crash between any two writes loses nothing that a successor cannot make good.
func TestCrashBetweenAnyTwoWrites(t *testing.T) {
	r := seeded(t)
	d := denseStart(r, 12<<20)
	for n := int64(0); ; n++ {
		store := &dying{Store: memory.New(time.Now, 0)}
		store.left.Store(n)
		g := newRegionOn(t, store)
		s := g.open(d, nil)
		first, err := attempt(s, d)
		s.Close()
		if err != nil && !errors.Is(err, blobstore.ErrUnavailable) {
			t.Fatalf("after %d writes: %v", n, err)
		}
		store.left.Store(1 << 40)
		next := g.open(d, []uint64{s.Epoch})
		second, e := publish.Run(context.Background(), &remote{s: next}, d, clientOptions())
		if e != nil {
			t.Fatalf("after %d writes: %v", n, e)
		}
		g.check(g.commit(next, second.Root), d)
		if err == nil {
			if first.Root != second.Root || second.SentWire != 0 {
				t.Errorf("committed %s, and then %d bytes were sent for %s", first.Root.Short(), second.SentWire, second.Root.Short())
			}
			if n < 5 {
				t.Errorf("a publish took only %d writes", n)
			}
			return
		}
	}
}

// attempt publishes with a checkpoint half-way.
func attempt(s *Session, d disk) (publish.Result, error) {
	ctx := context.Background()
	rem := &remote{s: s, fail: func(sent int) error {
		if sent != 2 {
			return nil
		}
		return s.checkpointIfDue(ctx, 1)
	}}
	res, err := publish.Run(ctx, rem, d, clientOptions())
	if err != nil {
		return res, err
	}
	_, err = s.Commit(ctx, res.Root)
	return res, err
}

// After an error of its store a session takes nothing more.
func TestStoreErrorIsFinal(t *testing.T) {
	store := &dying{Store: memory.New(time.Now, 0)}
	g := newRegionOn(t, store)
	d := denseStart(seeded(t), 2<<20)
	s := g.open(d, nil)
	if _, err := attempt(s, d); !errors.Is(err, blobstore.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	store.left.Store(1 << 40)
	if _, err := attempt(s, d); err == nil {
		t.Error("a session went on after its writer had failed")
	}
}
