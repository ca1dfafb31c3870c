package collect

import (
	"testing"
	"testing/synctest"
	"time"

	"loggia/blobstore/memory"
)

// TestPace holds that requests and bytes stay within their rates.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Pace(memory.New(time.Now, 0), Rates{Requests: 10, Bytes: 1 << 20})
		began := time.Now()
		for range 50 {
			if err := s.Put(t.Context(), "k", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("50 requests at 10 per second took %v", took)
		}
		began = time.Now()
		if err := s.Put(t.Context(), "large", make([]byte, 8<<20)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 7*time.Second || took > 9*time.Second {
			t.Errorf("8 MiB at 1 MiB per second took %v", took)
		}
	})
}
