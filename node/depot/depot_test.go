package depot

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loggia/blobstore/memory"
	"loggia/gallery"
	"loggia/testing/faults"
	"loggia/transfer/serve/servetest"
)

// rig is a depot with a repository in whose store a disk was published.
type rig struct {
	*Depot
	store *faults.Store
	row   gallery.Repository
}

func newRig(t *testing.T) *rig {
	r := &rig{store: faults.New(memory.New(time.Now, 0)), row: gallery.Repository{Key: gallery.RepositoryKey{Store: "55555555-0000-4000-8000-000000000001", Slot: 1,
		Domain: gallery.DomainOf("aaaaaaaa-0000-4000-8000-000000000001")}}}
	region := servetest.In(t, r.store, string(r.row.Key.Domain), r.row.Key.Slot)
	r.row.Segments = Segments(region.Publish(servetest.NewDisk(servetest.Random(t), 1<<20), servetest.Params()).Segments)
	r.Depot = New(Options{Cache: t.TempDir(), Pool: region.Reads, Decoder: region.Decoder})
	r.Add(r.row.Key.Store, r.store)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// TestAWaitForAViewEnds: whoever waits for a view that another opens from a store that hangs is no longer than it wants to wait.
func TestAWaitForAViewEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.Add(faults.Rule{Op: faults.Get, Delay: time.Hour})
		var first sync.WaitGroup
		opening, end := context.WithCancel(t.Context())
		first.Go(func() {
			if _, err := r.Open(opening, &r.row); !errors.Is(err, context.Canceled) {
				t.Errorf("who opened: %v", err)
			}
		})
		synctest.Wait()
		waiting, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		began := time.Now()
		if _, err := r.Open(waiting, &r.row); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("who waited: %v after %s", err, time.Since(began))
		}
		end()
		first.Wait()

		r.store.Heal() // and the next one opens it
		l, err := r.Open(t.Context(), &r.row)
		if err != nil {
			t.Fatal(err)
		}
		l.Release()
	})
}

// TestAViewThatIsThereIsLent: it is not waited for, whatever is being opened beside it.
func TestAViewThatIsThereIsLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		l, err := r.Open(t.Context(), &r.row)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release()
		newer := r.row
		newer.Segments = append(newer.Segments[:len(newer.Segments):len(newer.Segments)], gallery.Segment{Epoch: 99, Size: 1, Chunks: 1})
		r.store.Add(faults.Rule{Op: faults.Get, Delay: time.Hour})
		var other sync.WaitGroup
		opening, end := context.WithCancel(t.Context())
		defer other.Wait()
		defer end()
		other.Go(func() {
			if l, err := r.Open(opening, &newer); err == nil {
				t.Error("a segment that is not there was opened")
				l.Release()
			}
		})
		synctest.Wait()
		began := time.Now()
		again, err := r.Open(t.Context(), &r.row)
		if err != nil || time.Since(began) > 0 {
			t.Fatalf("%v after %s", err, time.Since(began))
		}
		again.Release()
	})
}
