package limit

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
		return NewStore(s, New(Options{Requests: 2, Upload: 1 << 32, Download: 1 << 32}))
	})
}

func TestRequestsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Requests: 3})
		s := NewStore(faults.New(memory.New(nil, 0), faults.Rule{Op: faults.Put, Delay: time.Second}), l)
		start := time.Now()
		var wg sync.WaitGroup
		for range 9 {
			wg.Go(func() {
				if err := s.Put(t.Context(), "k", []byte("x")); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := l.InFlight(); n != 3 {
			t.Errorf("%d in flight, want 3", n)
		}
		wg.Wait()
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("9 puts of 1 s, 3 at once, took %v", d)
		}
		bodies := []io.ReadCloser{}
		for range 3 {
			r, err := s.Get(t.Context(), "k", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, r)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Stat(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with three open bodies: got %v, want to wait in vain", err)
		}
		if _, err := io.ReadAll(bodies[0]); err != nil { // the end gives the slot back, and Close not once more
			t.Error(err)
		}
		for _, r := range bodies {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := l.InFlight(); n != 0 {
			t.Errorf("%d in flight, want none", n)
		}
	})
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Upload: 1 << 20, Download: 2 << 20})
		s := NewStore(memory.New(nil, 0), l)
		took := func(call func()) time.Duration {
			start := time.Now()
			call()
			return time.Since(start)
		}
		data := make([]byte, 10<<20)
		put := func() {
			if err := s.Put(t.Context(), "k", data); err != nil {
				t.Error(err)
			}
		}
		get := func() {
			r, err := s.Get(t.Context(), "k", 0, -1)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Error(err)
			}
		}
		near := func(what string, got, want time.Duration) {
			t.Helper()
			if got < want*98/100 || got > want*102/100 {
				t.Errorf("%s took %v, want about %v", what, got, want)
			}
		}
		near("put of 10 MiB at 1 MiB/s", took(put), 10*time.Second)
		near("get of 10 MiB at 2 MiB/s", took(get), 5*time.Second)
		near("put while the rate is raised", took(func() {
			time.AfterFunc(5*time.Second, func() { l.SetRates(5<<20, 0) })
			put()
		}), 6*time.Second)
		if up, down := l.Rates(); up != 5<<20 || down != 0 {
			t.Errorf("rates %d, %d", up, down)
		}
		if d := took(get); d != 0 {
			t.Errorf("unlimited get took %v", d)
		}
		l.SetRates(1, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Put(ctx, "k", data); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want deadline exceeded", err)
		}
	})
}

func TestValidate(t *testing.T) {
	if err := (Options{Upload: -1}).Validate(); err == nil {
		t.Error("a negative rate was accepted")
	}
	if err := (Options{}).Validate(); err != nil {
		t.Error(err)
	}
}
