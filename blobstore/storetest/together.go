package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
)

// parallel calls fn for 0..n-1, at most width at once.
func parallel(t *testing.T, width, n int, fn func(int) error) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(width)
	for i := range n {
		g.Go(func() error { return fn(i) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// testCanceled calls everything with an ended context: nothing happens.
func testCanceled(t *testing.T, s blobstore.Store) {
	put(t, s, "here", content("here", 100))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, "put", s.Put(ctx, "new", content("new", 100)), context.Canceled)
	_, err := read(ctx, s, "here", 0, -1)
	wantError(t, "get", err, context.Canceled)
	_, err = s.Stat(ctx, "here")
	wantError(t, "stat", err, context.Canceled)
	wantError(t, "delete", s.Delete(ctx, "here"), context.Canceled)
	wantError(t, "list", s.List(ctx, "", "", func(blobstore.Info) error { return nil }), context.Canceled)
	if c, ok := s.(blobstore.Copier); ok && blobstore.CanCopy(s) {
		wantError(t, "copy", c.Copy(ctx, "here", "copy"), context.Canceled)
	}
	if got := list(t, s, "", ""); len(got) != 1 || got[0] != "here" {
		t.Errorf("list shows %q, want only what was there", got)
	}
}

// testCanceledOnItsWay cancels puts and gets at random moments: what is there is whole.
func testCanceledOnItsWay(t *testing.T, s blobstore.Store) {
	data := content("large", 8<<20)
	rng := random(t)
	for i := range 12 {
		key := keyf("cut/%d", i)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.Int64N(int64(30*time.Millisecond))))
		err := s.Put(ctx, key, data)
		cancel()
		if err != nil {
			wantError(t, "cancelled put", err, context.DeadlineExceeded)
		}
		got, rerr := read(within(t), s, key, 0, -1)
		switch {
		case errors.Is(rerr, blobstore.ErrNotFound) && err != nil:
		case rerr != nil:
			t.Errorf("after a put that said %v: %v", err, rerr)
		case !bytes.Equal(got, data):
			t.Errorf("after a put that said %v: %d bytes that differ from the %d put", err, len(got), len(data))
		}
	}
	put(t, s, "whole", data)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Get(ctx, "whole", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.Copy(io.Discard, r)
	wantError(t, "read of a cancelled get", err, context.Canceled)
}

// testAtomic reads while one key is written again and again with the same bytes.
func testAtomic(t *testing.T, s blobstore.Store) {
	data := content("atomic", 2<<20)
	var done atomic.Bool
	var g errgroup.Group
	g.Go(func() error {
		defer done.Store(true)
		for range 10 {
			if err := s.Put(within(t), "a/b", data); err != nil {
				return err
			}
		}
		return nil
	})
	whole := 0
	for !done.Load() {
		got, err := read(within(t), s, "a/b", 0, -1)
		if errors.Is(err, blobstore.ErrNotFound) && whole == 0 {
			continue // not there yet
		}
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %d bytes, %v; want the whole object", len(got), err)
		}
		whole++
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "a/b", data)
}

// patient calls f again, a few times, where the store says that it is unavailable: under load a bare
// store may say so, and its users repeat the call. A store that says so for good still fails.
func patient(f func() error) error {
	var err error
	for range 10 {
		if err = f(); !errors.Is(err, blobstore.ErrUnavailable) {
			return err
		}
	}
	return err
}

// testConcurrent mixes all calls in shared folders, which come and go.
func testConcurrent(t *testing.T, s blobstore.Store) {
	parallel(t, 8, 80, func(i int) error {
		key := keyf("c/%d/%d", i%4, i)
		data := content(key, 10_000+i)
		for range 2 {
			if err := patient(func() error { return s.Put(within(t), key, data) }); err != nil {
				return err
			}
			var got []byte
			if err := patient(func() (err error) { got, err = read(within(t), s, key, 0, -1); return err }); err != nil {
				return err
			}
			if !bytes.Equal(got, data) {
				return errors.New(key + ": other bytes")
			}
			if err := patient(func() error { return s.Delete(within(t), key) }); err != nil {
				return err
			}
		}
		return nil
	})
	if got := list(t, s, "", ""); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}
