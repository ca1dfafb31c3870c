package collect

import (
	"io"
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

// TestPaceWeighs holds that what is slowed down takes its multiple, from the moment that it is.
func TestPaceWeighs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		weight := int64(1)
		below := memory.New(time.Now, 0)
		s := Pace(below, Rates{Requests: 10, Bytes: 1 << 20, Weight: func() int64 { return weight }})
		if err := below.Put(t.Context(), "k", make([]byte, 2<<20)); err != nil {
			t.Fatal(err)
		}
		read := func() time.Duration {
			began := time.Now()
			body, err := s.Get(t.Context(), "k", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			if _, err := io.Copy(io.Discard, body); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if took := read(); took < time.Second || took > 3*time.Second {
			t.Errorf("2 MiB at 1 MiB per second took %v", took)
		}
		weight = 8
		if took := read(); took < 15*time.Second || took > 20*time.Second {
			t.Errorf("at an eighth it took %v", took)
		}
	})
}
