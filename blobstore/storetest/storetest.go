// Package storetest is the conformance suite of blobstore.Store, for every store and decorator.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"loggia/blobstore"
)

// Run holds the store that open returns to the contract. open is called once per part and gives
// an empty store each time; it registers its own clean-up.
func Run(t *testing.T, open func(t *testing.T) blobstore.Store) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, blobstore.Store)
	}{
		{"PutGet", testPutGet},
		{"Overwrite", testOverwrite},
		{"Ranges", testRanges},
		{"RangesOutside", testRangesOutside},
		{"NotFound", testNotFound},
		{"InvalidKeys", testInvalidKeys},
		{"Sizes", testSizes},
		{"PutKeepsNoReference", testNoReference},
		{"Stat", testStat},
		{"Delete", testDelete},
		{"ListOrder", testListOrder},
		{"ListPrefixAfter", testListPrefixAfter},
		{"ListMany", testListMany},
		{"ListStops", testListStops},
		{"Copy", testCopy},
		{"Links", testLinks},
		{"Canceled", testCanceled},
		{"CanceledOnItsWay", testCanceledOnItsWay},
		{"Atomic", testAtomic},
		{"Concurrent", testConcurrent},
		{"Capacity", testCapacity},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open(t)) })
	}
}

// patience bounds one call on a loaded machine.
const patience = 2 * time.Minute

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// random returns a generator whose seed is printed, or taken from LOGGIA_SEED.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("LOGGIA_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("LOGGIA_SEED: %v", err)
		}
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// content makes n bytes that differ by name and place.
func content(name string, n int) []byte {
	seed := [32]byte{}
	copy(seed[:], name)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(b) // never fails
	return b
}

func put(t *testing.T, s blobstore.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(within(t), key, data); err != nil {
		t.Fatalf("put %s (%d bytes): %v", key, len(data), err)
	}
}

func read(ctx context.Context, s blobstore.Store, key string, off, n int64) ([]byte, error) {
	r, err := s.Get(ctx, key, off, n)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return data, err
}

func wantContent(t *testing.T, s blobstore.Store, key string, want []byte) {
	t.Helper()
	got, err := read(within(t), s, key, 0, -1)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("get %s: %d bytes that differ from the %d put", key, len(got), len(want))
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func list(t *testing.T, s blobstore.Store, prefix, after string) []string {
	t.Helper()
	keys := []string{}
	err := s.List(within(t), prefix, after, func(i blobstore.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil {
		t.Fatalf("list %q after %q: %v", prefix, after, err)
	}
	return keys
}

func keyf(format string, args ...any) string { return fmt.Sprintf(format, args...) }
