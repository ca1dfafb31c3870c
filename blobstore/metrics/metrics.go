// Package metrics counts what a store is asked, how it answers, and how long it takes.
package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"loggia/blobstore/retry"
)

// Metrics are the collectors of all stores of a process, told apart by the label store.
type Metrics struct {
	requests *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	retries  *prometheus.CounterVec
	windows  *windows
}

// New registers the collectors.
func New(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loggia_store_requests_total",
			Help: "Requests to object stores, by operation and result (ok, or the kind of failure).",
		}, []string{"store", "op", "result"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loggia_store_bytes_total",
			Help: "Bytes of objects sent to and received from object stores.",
		}, []string{"store", "direction"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "loggia_store_request_seconds",
			Help:    "Time of requests to object stores, bodies included.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2.5, 12), // 2 ms to 48 s
		}, []string{"store", "op"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "loggia_store_requests_in_flight",
			Help: "Requests to object stores under way.",
		}, []string{"store"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loggia_store_retries_total",
			Help: "Requests to object stores that failed and are repeated, by kind of failure.",
		}, []string{"store", "op", "kind"}),
		windows: newWindows(),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.bytes, m.seconds, m.inFlight, m.retries, m.windows} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// Retries returns an observer for package retry.
func (m *Metrics) Retries(store string) func(retry.Event) {
	return func(e retry.Event) { m.retries.WithLabelValues(store, e.Op, string(e.Kind)).Inc() }
}
