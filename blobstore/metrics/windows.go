package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// windows collects how many requests stores may have in flight. It is safe for many goroutines.
type windows struct {
	desc *prometheus.Desc

	mu sync.Mutex
	of map[string]func() (reads, writes int) // by store
}

func newWindows() *windows {
	return &windows{of: make(map[string]func() (int, int)), desc: prometheus.NewDesc("loggia_store_window_requests",
		"Requests that an object store may have in flight now, as its answers allow.", []string{"store", "kind"}, nil)}
}

// Window shows what of returns as the store's; a later call for the same store takes its place.
func (m *Metrics) Window(store string, of func() (reads, writes int)) {
	m.windows.mu.Lock()
	defer m.windows.mu.Unlock()
	m.windows.of[store] = of
}

// Describe implements prometheus.Collector.
func (w *windows) Describe(c chan<- *prometheus.Desc) { c <- w.desc }

// Collect implements prometheus.Collector.
func (w *windows) Collect(c chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for store, of := range w.of {
		reads, writes := of()
		c <- prometheus.MustNewConstMetric(w.desc, prometheus.GaugeValue, float64(reads), store, "read")
		c <- prometheus.MustNewConstMetric(w.desc, prometheus.GaugeValue, float64(writes), store, "write")
	}
}
