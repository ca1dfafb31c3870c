package reserve

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
	"loggia/blobstore/filesystem"
	"loggia/blobstore/memory"
	"loggia/blobstore/storetest"
	"loggia/testing/faults"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) blobstore.Store {
		s, err := filesystem.Open(t.TempDir(), filesystem.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := New(s, Options{Floor: 1})
		if st := r.Check(t.Context()); st.Status != OK {
			t.Fatalf("state %+v", st)
		}
		return r
	})
}

func want(t *testing.T, s *Store, status Status) {
	t.Helper()
	if got := s.State(); got.Status != status {
		t.Errorf("state %+v, want %s", got, status)
	}
}

func TestFullBeforeTheDiskIs(t *testing.T) {
	disk := memory.New(nil, 1000)
	s := New(disk, Options{Floor: 300})
	want(t, s, Unknown)
	s.Check(t.Context())
	want(t, s, OK)
	put := func(key string, n int) error { return s.Put(t.Context(), key, make([]byte, n)) }
	if err := put("a", 500); err != nil {
		t.Fatal(err)
	}
	if err := put("b", 201); !errors.Is(err, blobstore.ErrFull) {
		t.Errorf("into the floor: got %v, want ErrFull", err)
	}
	want(t, s, OK) // a smaller object still fits
	if err := put("b", 200); err != nil {
		t.Errorf("up to the floor: %v", err)
	}
	want(t, s, Full)
	if st := s.Check(t.Context()); st.Status != Full || st.Capacity.Free != 300 {
		t.Errorf("state %+v, want full with 300 free", st)
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	s.Check(t.Context())
	want(t, s, OK)
}

func TestReservations(t *testing.T) {
	s := New(memory.New(nil, 1000), Options{Floor: 100})
	s.Check(t.Context())
	release, err := s.Reserve(600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(301); !errors.Is(err, blobstore.ErrFull) {
		t.Errorf("more than is left: got %v, want ErrFull", err)
	}
	if err := s.Put(t.Context(), "mine", make([]byte, 600)); err != nil {
		t.Errorf("put of what was reserved: %v", err)
	}
	release()
	release()
	if st := s.State(); st.Reserved != 0 {
		t.Errorf("%d bytes reserved, want none", st.Reserved)
	}
	if release, err = s.Reserve(300); err != nil {
		t.Error(err)
	} else {
		release()
	}
	if _, err := s.Reserve(-1); err == nil {
		t.Error("a negative reservation was made")
	}
}

func TestManyPutsKeepTheFloor(t *testing.T) {
	disk := memory.New(nil, 100_000)
	s := New(disk, Options{Floor: 20_000})
	s.Check(t.Context())
	var g errgroup.Group
	for i := range 200 {
		g.Go(func() error {
			err := s.Put(t.Context(), string(rune('a'+i%26))+string(rune('a'+i/26)), make([]byte, 1000))
			if errors.Is(err, blobstore.ErrFull) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if c, err := disk.Capacity(t.Context()); err != nil || c.Free != 20_000 {
		t.Errorf("%d bytes free, %v; want exactly the floor", c.Free, err)
	}
}

func TestStoreThatSaysFullItself(t *testing.T) {
	below := faults.New(memory.New(nil, 0), faults.Rule{Op: faults.Put, Count: 1, Err: blobstore.ErrFull})
	s := New(below, Options{})
	s.Check(t.Context())
	for range 3 {
		if err := s.Put(t.Context(), "k", nil); !errors.Is(err, blobstore.ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
	}
	if n := below.Calls(faults.Put); n != 1 {
		t.Errorf("%d puts reached a full store, want 1", n)
	}
	want(t, s, Full)
	if _, err := s.Reserve(1); !errors.Is(err, blobstore.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	s.Check(t.Context()) // a look later one put may try again
	want(t, s, OK)
	if err := s.Put(t.Context(), "k", nil); err != nil {
		t.Error(err)
	}
}

func TestRunFollowsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := faults.New(memory.New(nil, 0))
		var seen []Status
		s := New(below, Options{Interval: time.Second, Changed: func(st State) { seen = append(seen, st.Status) }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		step := func(status Status) {
			t.Helper()
			time.Sleep(1500 * time.Millisecond) // virtual
			synctest.Wait()
			want(t, s, status)
		}
		step(OK)
		below.Add(faults.Rule{Op: faults.Capacity, Err: blobstore.ErrForbidden})
		step(Forbidden)
		if err := s.Put(ctx, "k", nil); err != nil {
			t.Errorf("put while the state is forbidden: %v; the store itself should say", err)
		}
		below.Heal()
		step(OK)
		below.Add(faults.Rule{Op: faults.Capacity, Delay: time.Hour}) // hangs: a look ends after an interval
		time.Sleep(time.Second)
		step(Unavailable)
		below.Heal()
		step(OK)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
		if len(seen) != 5 {
			t.Errorf("saw changes %q", seen)
		}
	})
}
