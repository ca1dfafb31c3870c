package memory

import (
	"errors"
	"testing"

	"loggia/blobstore"
	"loggia/blobstore/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) blobstore.Store { return New(nil, 0) })
}

func TestFull(t *testing.T) {
	s := New(nil, 100)
	if err := s.Put(t.Context(), "a", make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "b", make([]byte, 60)); !errors.Is(err, blobstore.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if err := s.Put(t.Context(), "a", make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Capacity(t.Context()); err != nil || c != (blobstore.Capacity{Known: true, Total: 100, Free: 100}) {
		t.Fatalf("got %+v, %v", c, err)
	}
}
