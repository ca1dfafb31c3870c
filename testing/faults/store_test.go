package faults

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/memory"
	"loggia/blobstore/storetest"
)

func TestContractWithoutRules(t *testing.T) {
	storetest.Run(t, func(*testing.T) blobstore.Store { return New(memory.New(nil, 0)) })
}

func TestNthCallFails(t *testing.T) {
	s := New(memory.New(nil, 0), Rule{Op: Put, Prefix: "a", From: 2, Count: 2, Err: blobstore.ErrThrottled})
	for i, want := range []error{nil, blobstore.ErrThrottled, blobstore.ErrThrottled, nil} {
		if err := s.Put(t.Context(), "b", nil); err != nil {
			t.Errorf("another key: %v", err)
		}
		if err := s.Put(t.Context(), "a", nil); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("call %d: got %v, want %v", i+1, err, want)
		}
	}
	if n := s.Calls(Put); n != 8 {
		t.Errorf("%d puts counted, want 8", n)
	}
}

func TestLostAnswer(t *testing.T) {
	s := New(memory.New(nil, 0), Rule{Op: Put, Err: blobstore.ErrUnavailable, Late: true})
	if err := s.Put(t.Context(), "a", nil); !errors.Is(err, blobstore.ErrUnavailable) {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), "a"); err != nil {
		t.Fatalf("the put took no effect: %v", err)
	}
}

func TestBodies(t *testing.T) {
	s := New(memory.New(nil, 0))
	if err := s.Put(t.Context(), "a", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		rule Rule
		body string
		want error
	}{
		{"short", Rule{Op: Get, Short: true, Keep: 4}, "0123", blobstore.ErrDamaged},
		{"cut", Rule{Op: Get, Short: true, Keep: 4, Err: blobstore.ErrUnavailable}, "0123", blobstore.ErrUnavailable},
		{"flipped", Rule{Op: Get, Damage: true, Flip: 2}, "01\xcd3456789", nil},
	} {
		s.Heal()
		s.Add(c.rule)
		r, err := s.Get(t.Context(), "a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if !bytes.Equal(got, []byte(c.body)) || !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
		_ = r.Close()
	}
}

func TestListFailsHalfWay(t *testing.T) {
	s := New(memory.New(nil, 0), Rule{Op: List, After: 2, Err: blobstore.ErrUnavailable})
	for _, key := range []string{"a", "b", "c"} {
		if err := s.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	err := s.List(t.Context(), "", "", func(blobstore.Info) error { seen++; return nil })
	if seen != 2 || !errors.Is(err, blobstore.ErrUnavailable) {
		t.Errorf("saw %d, %v", seen, err)
	}
}

func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(memory.New(nil, 0), Rule{Delay: time.Hour})
		start := time.Now()
		if _, err := s.Capacity(t.Context()); err != nil || time.Since(start) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
