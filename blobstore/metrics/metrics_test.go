package metrics

import (
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"loggia/blobstore"
	"loggia/blobstore/filesystem"
	"loggia/blobstore/memory"
	"loggia/blobstore/retry"
	"loggia/blobstore/storetest"
	"loggia/testing/faults"
)

func newMetrics(t *testing.T) *Metrics {
	t.Helper()
	m, err := New(prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestContract(t *testing.T) {
	m := newMetrics(t)
	storetest.Run(t, func(t *testing.T) blobstore.Store {
		s, err := filesystem.Open(t.TempDir(), filesystem.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return NewStore(s, m, t.Name())
	})
	for _, name := range []string{"TestContract/Concurrent", "TestContract/Ranges"} {
		if n := testutil.ToFloat64(m.inFlight.WithLabelValues(name)); n != 0 {
			t.Errorf("%s: %v requests never ended", name, n)
		}
	}
}

func TestCounts(t *testing.T) {
	m := newMetrics(t)
	below := faults.New(memory.New(nil, 0), faults.Rule{Op: faults.Put, From: 3, Count: 1, Err: blobstore.ErrFull})
	s := NewStore(below, m, "a")
	for range 3 {
		_ = s.Put(t.Context(), "k", make([]byte, 100))
	}
	for range 2 {
		r, err := s.Get(t.Context(), "k", 0, 30)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = s.Get(t.Context(), "absent", 0, -1)
	m.Retries("a")(retry.Event{Op: "put", Kind: blobstore.KindThrottled})
	for _, c := range []struct {
		what string
		got  prometheus.Collector
		want float64
	}{
		{"good puts", m.requests.WithLabelValues("a", "put", "ok"), 2},
		{"full puts", m.requests.WithLabelValues("a", "put", "full"), 1},
		{"good gets", m.requests.WithLabelValues("a", "get", "ok"), 2},
		{"gets of nothing", m.requests.WithLabelValues("a", "get", "not_found"), 1},
		{"sent", m.bytes.WithLabelValues("a", "sent"), 200},
		{"received", m.bytes.WithLabelValues("a", "received"), 60},
		{"in flight", m.inFlight.WithLabelValues("a"), 0},
		{"retries", m.retries.WithLabelValues("a", "put", "throttled"), 1},
	} {
		if got := testutil.ToFloat64(c.got); got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}

func TestWindowOfAStoreThatWasOpenedAgain(t *testing.T) {
	m := newMetrics(t)
	for n := range 2 {
		m.Window("a", func() (int, int) { return 8 + n, 16 })
	}
	want := `# HELP loggia_store_window_requests Requests that an object store may have in flight now, as its answers allow.
# TYPE loggia_store_window_requests gauge
loggia_store_window_requests{kind="read",store="a"} 9
loggia_store_window_requests{kind="write",store="a"} 16
`
	if err := testutil.CollectAndCompare(m.windows, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestOneRegistryTwice(t *testing.T) {
	r := prometheus.NewRegistry()
	if _, err := New(r); err != nil {
		t.Fatal(err)
	}
	if _, err := New(r); err == nil {
		t.Error("registered twice without an error")
	}
}
