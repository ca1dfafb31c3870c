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
	Requests int   // the most in flight at once of reads, and as many of writes; 0 means 64, which fills any link with packs
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

// Limiter is shared by the stores that must stay within its bounds together. How many requests are in flight follows the
// store's answers, between 2 and Options.Requests. Reads and writes have a window each: whoever holds a body open may wait
// for a write, and no write waits for a read. It is safe for use by many goroutines.
type Limiter struct {
	reads, writes    *window
	upload, download bucket
}

// New makes a Limiter.
func New(o Options) *Limiter {
	if o.Requests == 0 {
		o.Requests = defaultRequests
	}
	l := &Limiter{reads: newWindow(o.Requests), writes: newWindow(o.Requests)}
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
func (l *Limiter) InFlight() int {
	r, _ := l.reads.state()
	w, _ := l.writes.state()
	return r + w
}

// Windows says how many reads and writes may be in flight now.
func (l *Limiter) Windows() (reads, writes int) {
	_, reads = l.reads.state()
	_, writes = l.writes.state()
	return reads, writes
}

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

// limited says whether there is a rate at all.
func (b *bucket) limited() bool { return b.rate.Load() != 0 }

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
