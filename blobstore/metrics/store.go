package metrics

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loggia/blobstore"
)

// Store counts the calls of the store below.
type Store struct {
	next           blobstore.Store
	m              *Metrics
	name           string
	sent, received prometheus.Counter
}

// NewStore decorates next, under the name of the store.
func NewStore(next blobstore.Store, m *Metrics, name string) *Store {
	return &Store{next: next, m: m, name: name,
		sent: m.bytes.WithLabelValues(name, "sent"), received: m.bytes.WithLabelValues(name, "received")}
}

// Unwrap returns the store below.
func (s *Store) Unwrap() blobstore.Store { return s.next }

// begin counts a request that starts. The function that it returns counts its end; calls after
// the first do nothing.
func (s *Store) begin(op string) func(error) {
	start := time.Now()
	s.m.inFlight.WithLabelValues(s.name).Inc()
	var once sync.Once
	return func(err error) {
		once.Do(func() {
			s.m.inFlight.WithLabelValues(s.name).Dec()
			s.m.seconds.WithLabelValues(s.name, op).Observe(time.Since(start).Seconds())
			s.m.requests.WithLabelValues(s.name, op, string(blobstore.KindOf(err))).Inc()
		})
	}
}

// Put implements blobstore.Store.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	end := s.begin("put")
	err := s.next.Put(ctx, key, data)
	if err == nil {
		s.sent.Add(float64(len(data)))
	}
	end(err)
	return err
}

// Get implements blobstore.Store. The request ends with its body.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	end := s.begin("get")
	body, err := s.next.Get(ctx, key, off, n)
	if err != nil {
		end(err)
		return nil, err
	}
	return &reader{body: body, received: s.received, end: end}, nil
}

type reader struct {
	body     io.ReadCloser
	received prometheus.Counter
	end      func(error)
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.received.Add(float64(n))
	switch {
	case err == io.EOF:
		r.end(nil)
	case err != nil:
		r.end(err)
	}
	return n, err
}

func (r *reader) Close() error {
	err := r.body.Close()
	r.end(err)
	return err
}

// Stat implements blobstore.Store.
func (s *Store) Stat(ctx context.Context, key string) (blobstore.Info, error) {
	end := s.begin("stat")
	info, err := s.next.Stat(ctx, key)
	end(err)
	return info, err
}

// List implements blobstore.Store. Its time includes that of fn; errors of fn count as other.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	end := s.begin("list")
	err := s.next.List(ctx, prefix, after, fn)
	end(err)
	return err
}

// Delete implements blobstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	end := s.begin("delete")
	err := s.next.Delete(ctx, key)
	end(err)
	return err
}

// Copy implements blobstore.Copier.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	end := s.begin("copy")
	err := blobstore.Copy(ctx, s.next, from, to)
	end(err)
	return err
}

// Capacity implements blobstore.Store.
func (s *Store) Capacity(ctx context.Context) (blobstore.Capacity, error) {
	end := s.begin("capacity")
	c, err := s.next.Capacity(ctx)
	end(err)
	return c, err
}
