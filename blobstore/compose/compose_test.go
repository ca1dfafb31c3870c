package compose

import (
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"loggia/blobstore"
	"loggia/blobstore/filesystem"
	"loggia/blobstore/limit"
	"loggia/blobstore/memory"
	"loggia/blobstore/metrics"
	"loggia/blobstore/reserve"
	"loggia/blobstore/retry"
	"loggia/blobstore/storetest"
	"loggia/testing/faults"
)

func options(t *testing.T) Options {
	t.Helper()
	m, err := metrics.New(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Name: "s", Metrics: m, Limiter: limit.New(limit.Options{Requests: 8}), Reserve: reserve.Options{Floor: 1}}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) blobstore.Store {
		s, err := filesystem.Open(t.TempDir(), filesystem.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return Wrap(s, options(t))
	})
}

// TestContractWithoutCopy: the decorators of a store that cannot copy say so.
func TestContractWithoutCopy(t *testing.T) {
	storetest.Run(t, func(t *testing.T) blobstore.Store {
		return Wrap(struct{ blobstore.Store }{memory.New(nil, 0)}, options(t))
	})
}

func TestFailuresPassThroughAll(t *testing.T) {
	below := faults.New(memory.New(nil, 0), faults.Rule{Op: faults.Put, Count: 2, Err: blobstore.ErrDamaged},
		faults.Rule{Op: faults.Put, From: 2, Count: 1, Err: blobstore.ErrFull})
	o := options(t)
	var events int
	policies := retry.Default()
	policies.Random = func() float64 { return 0 }
	policies.Observe = func(retry.Event) { events++ }
	o.Retry = &policies
	s := Wrap(below, o)
	s.Space.Check(t.Context())
	if err := s.Put(t.Context(), "k", nil); err != nil {
		t.Fatalf("damage that passes: %v", err)
	}
	if events != 2 || below.Calls(faults.Put) != 3 {
		t.Errorf("%d events, %d calls; want 2, 3", events, below.Calls(faults.Put))
	}
	if err := s.Put(t.Context(), "k", nil); !errors.Is(err, blobstore.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if st := s.Space.State(); st.Status != reserve.Full {
		t.Errorf("state %+v, want full", st)
	}
	if n := s.Limiter.InFlight(); n != 0 {
		t.Errorf("%d slots held", n)
	}
}

func TestValidate(t *testing.T) {
	o := options(t)
	o.Name = ""
	o.Reserve.Floor = -1
	if err := o.Validate(); err == nil {
		t.Error("accepted")
	}
}
