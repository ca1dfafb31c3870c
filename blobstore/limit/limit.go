// Package limit bounds the requests in flight and the bytes per second of stores.
package limit

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Options bound a Limiter.
type Options struct {
	Requests int   // in flight at once; 0 means 64, which fills any link with packs
	Upload   int64 // bytes per second; 0 means unlimited
	Download int64 // bytes per second; 0 means unlimited
}

// Validate reports numbers below 0.
func (o Options) Validate() error {
	if o.Requests < 0 || o.Upload < 0 || o.Download < 0 {
		return errors.New("limit: a bound below 0")
	}
	return nil
}

// defaultRequests at 8 MiB each is half a GiB on its way: far beyond any delay times bandwidth.
const defaultRequests = 64

// Limiter is shared by the stores that must stay within its bounds together. It is safe for use
// by many goroutines.
type Limiter struct {
	slots            chan struct{}
	upload, download bucket
}

// New makes a Limiter.
func New(o Options) *Limiter {
	if o.Requests == 0 {
		o.Requests = defaultRequests
	}
	l := &Limiter{slots: make(chan struct{}, o.Requests)}
	l.upload.lim, l.download.lim = rate.NewLimiter(rate.Inf, burst), rate.NewLimiter(rate.Inf, burst)
	l.SetRates(o.Upload, o.Download)
	return l
}

// SetRates changes the bytes per second, 0 meaning unlimited. Transfers under way follow: who
// waits by the old rate waits at most for one burst (64 KiB).
func (l *Limiter) SetRates(upload, download int64) {
	l.upload.set(upload)
	l.download.set(download)
}

// Rates returns the bytes per second in force.
func (l *Limiter) Rates() (upload, download int64) {
	return l.upload.rate.Load(), l.download.rate.Load()
}

// InFlight says how many requests are under way.
func (l *Limiter) InFlight() int { return len(l.slots) }

// acquire takes a slot, or fails with the context's error. release gives it back.
func (l *Limiter) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limiter) release() { <-l.slots }

// burst is what may pass at once, in bytes, and the grain of waiting: at 64 KiB/s one second.
const burst = 64 << 10

// bucket is a token bucket whose rate can be changed.
type bucket struct {
	lim  *rate.Limiter
	rate atomic.Int64
}

func (b *bucket) set(bytesPerSecond int64) {
	b.rate.Store(bytesPerSecond)
	if bytesPerSecond == 0 {
		b.lim.SetLimit(rate.Inf)
		return
	}
	b.lim.SetLimit(rate.Limit(bytesPerSecond))
}

// wait lets n bytes pass. Where the wait would outlast the context's deadline it fails at once,
// with that deadline's error.
func (b *bucket) wait(ctx context.Context, n int) error {
	for n > 0 {
		part := min(n, burst)
		if err := b.lim.WaitN(ctx, part); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return errors.Join(context.DeadlineExceeded, err)
		}
		n -= part
	}
	return nil
}
