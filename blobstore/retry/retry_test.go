package retry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
		return New(s, Default())
	})
}

// TestContractOverFaults lets every third call fail or break: nobody notices.
func TestContractOverFaults(t *testing.T) {
	o := Default()
	o.Random = func() float64 { return 0 }
	storetest.Run(t, func(*testing.T) blobstore.Store { return New(&flaky{Store: memory.New(nil, 0)}, o) })
}

// flaky fails at random, in ways that pass.
type flaky struct{ *memory.Store }

func (f *flaky) fault() error {
	switch rand.IntN(9) {
	case 0:
		return fmt.Errorf("flaky: %w", blobstore.ErrUnavailable)
	case 1:
		return fmt.Errorf("flaky: %w", blobstore.ErrThrottled)
	}
	return nil
}

func (f *flaky) Put(ctx context.Context, key string, data []byte) error {
	if err := f.Store.Put(ctx, key, data); err != nil {
		return err
	}
	return f.fault() // the answer is lost
}

func (f *flaky) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	r, err := f.Store.Get(ctx, key, off, n)
	if err != nil {
		return nil, err
	}
	return &flakyBody{ReadCloser: r, f: f}, f.fault()
}

type flakyBody struct {
	io.ReadCloser
	f    *flaky
	read int
}

func (b *flakyBody) Read(p []byte) (int, error) {
	if b.read++; b.read%50 == 49 { // far enough apart for any object to be read within the budget
		if err := b.f.fault(); err != nil {
			return 0, err
		}
	}
	return b.ReadCloser.Read(p)
}

func (f *flaky) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	n, stop := 0, 1+rand.IntN(2000)
	return f.Store.List(ctx, prefix, after, func(i blobstore.Info) error {
		if n++; n == stop {
			return fmt.Errorf("flaky: %w", blobstore.ErrUnavailable)
		}
		return fn(i)
	})
}

func TestKindsAreRepeatedByTheirPolicy(t *testing.T) {
	for _, c := range []struct {
		err   error
		calls int
		least time.Duration // waited with the longest draws
	}{
		{blobstore.ErrNotFound, 1, 0}, {blobstore.ErrForbidden, 1, 0}, {blobstore.ErrFull, 1, 0}, {blobstore.ErrInvalidKey, 1, 0},
		{blobstore.ErrRange, 1, 0}, {blobstore.ErrTooLarge, 1, 0}, {context.Canceled, 1, 0},
		{blobstore.ErrDamaged, 3, 200 * time.Millisecond}, {blobstore.ErrUnavailable, 9, 30 * time.Second},
		{blobstore.ErrThrottled, 10, 3 * time.Minute}, {errors.New("of no kind"), 9, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			below := faults.New(memory.New(nil, 0), faults.Rule{Err: c.err})
			o := Default()
			o.Random = func() float64 { return 0.999 }
			var events []Event
			o.Observe = func(e Event) { events = append(events, e) }
			start := time.Now()
			err := New(below, o).Put(t.Context(), "k", nil)
			if !errors.Is(err, c.err) {
				t.Errorf("%v: got %v", c.err, err)
			}
			if got := below.Calls(faults.Put); got != c.calls || len(events) != c.calls-1 {
				t.Errorf("%v: %d calls and %d events, want %d calls", c.err, got, len(events), c.calls)
			}
			if waited := time.Since(start); waited < c.least {
				t.Errorf("%v: waited %v, want at least %v", c.err, waited, c.least)
			}
			for i, e := range events {
				if e.Op != "put" || e.Key != "k" || e.Attempt != i+1 || !errors.Is(e.Err, c.err) {
					t.Errorf("%v: event %d is %+v", c.err, i, e)
				}
			}
		})
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(faults.New(memory.New(nil, 0), faults.Rule{Err: blobstore.ErrThrottled}), Default())
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := s.Delete(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want deadline exceeded", err)
		}
	})
}

func TestBrokenBodiesGoOn(t *testing.T) {
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	for name, rule := range map[string]faults.Rule{
		"short":    {Op: faults.Get, Count: 2, Short: true, Keep: 30_000},
		"cut":      {Op: faults.Get, Count: 2, Short: true, Keep: 30_001, Err: blobstore.ErrUnavailable},
		"at once":  {Op: faults.Get, Count: 2, Short: true, Keep: 0, Err: blobstore.ErrUnavailable},
		"refused":  {Op: faults.Get, Count: 2, Err: blobstore.ErrThrottled},
		"at end":   {Op: faults.Get, Count: 1, Short: true, Keep: 100_000, Err: blobstore.ErrUnavailable},
		"at range": {Op: faults.Get, Count: 2, Short: true, Keep: 1, Err: blobstore.ErrUnavailable},
	} {
		for _, r := range [][2]int64{{0, -1}, {10, 99_000}, {99_999, -1}, {0, 100_000}} {
			synctest.Test(t, func(t *testing.T) {
				below := faults.New(memory.New(nil, 0), rule)
				s := New(below, Default())
				if err := s.Put(t.Context(), "k", data); err != nil {
					t.Fatal(err)
				}
				want := data[r[0]:]
				if r[1] >= 0 {
					want = want[:r[1]]
				}
				body, err := s.Get(t.Context(), "k", r[0], r[1])
				if err != nil {
					t.Fatalf("%s %v: %v", name, r, err)
				}
				got, err := io.ReadAll(body)
				if r[1] == 100_000 && name == "at end" {
					return // all bytes were given, then the store misbehaved: see TestTooLongIsNotRepeated
				}
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s %v: got %d bytes, %v; want %d", name, r, len(got), err, len(want))
				}
				if err := body.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestBodyThatBreaksForEverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := faults.New(memory.New(nil, 0), faults.Rule{Op: faults.Get, Short: true, Keep: 1, Err: blobstore.ErrUnavailable})
		s := New(below, Default())
		if err := s.Put(t.Context(), "k", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		body, err := s.Get(t.Context(), "k", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if !errors.Is(err, blobstore.ErrUnavailable) || below.Calls(faults.Get) != 9 || len(got) != 9 {
			t.Errorf("got %d bytes in %d calls, %v", len(got), below.Calls(faults.Get), err)
		}
	})
}

func TestTooLongIsNotRepeated(t *testing.T) {
	below := faults.New(memory.New(nil, 0), faults.Rule{Op: faults.Get, Short: true, Keep: 10})
	s := New(below, Default())
	if err := s.Put(t.Context(), "k", make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	body, err := s.Get(t.Context(), "k", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(body); !errors.Is(err, blobstore.ErrDamaged) || below.Calls(faults.Get) != 1 {
		t.Errorf("got %v in %d calls, want ErrDamaged in one", err, below.Calls(faults.Get))
	}
}

func TestListGoesOnWhereItBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(faults.New(memory.New(nil, 0), faults.Rule{Op: faults.List, Count: 3, After: 2, Err: blobstore.ErrUnavailable}), Default())
		var want, got []string
		for i := range 10 {
			want = append(want, fmt.Sprintf("k%d", i))
			if err := s.Put(t.Context(), want[i], nil); err != nil {
				t.Fatal(err)
			}
		}
		err := s.List(t.Context(), "k", "", func(i blobstore.Info) error { got = append(got, i.Key); return nil })
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		calls := 0
		stop := fmt.Errorf("mine: %w", blobstore.ErrUnavailable) // looks like a store's error, but is the function's
		err = s.List(t.Context(), "k", "", func(blobstore.Info) error { calls++; return stop })
		if err != stop || calls != 1 {
			t.Errorf("got %v in %d calls, want the function's error in one", err, calls)
		}
	})
}
