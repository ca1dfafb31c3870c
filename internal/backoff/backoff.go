// Package backoff spaces out repeated attempts, exponentially and with full jitter.
package backoff

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Policy is the range of waits: the n-th (from 0) is drawn evenly from [0, min(Max, Base * 2^n)].
// Full jitter spreads callers that failed together best (Brooker, "Exponential Backoff And
// Jitter", AWS Architecture Blog, 2015).
type Policy struct {
	Base, Max time.Duration
}

// Validate reports a policy that would not wait, or not grow.
func (p Policy) Validate() error {
	if p.Base <= 0 || p.Max < p.Base {
		return errors.New("backoff: want 0 < base <= max")
	}
	return nil
}

// Ceiling returns the longest possible n-th wait.
func (p Policy) Ceiling(n int) time.Duration {
	d := p.Base
	for range n {
		if d >= p.Max/2 {
			return p.Max
		}
		d *= 2
	}
	return min(d, p.Max)
}

// Random returns numbers evenly from [0, 1). It must be safe for use by many goroutines, as the
// functions of math/rand/v2 are.
type Random func() float64

// Backoff counts the attempts of one task. It is not safe for use by many goroutines.
type Backoff struct {
	policy Policy
	random Random
	n      int
}

// New starts a count at 0. A nil random means math/rand/v2.
func New(p Policy, random Random) *Backoff {
	if random == nil {
		random = rand.Float64
	}
	return &Backoff{policy: p, random: random}
}

// Next draws the next wait.
func (b *Backoff) Next() time.Duration {
	d := time.Duration(b.random() * float64(b.policy.Ceiling(b.n)))
	b.n++
	return d
}

// Attempts says how many waits were drawn since New or Reset.
func (b *Backoff) Attempts() int { return b.n }

// Reset begins again at the shortest wait.
func (b *Backoff) Reset() { b.n = 0 }

// Wait draws the next wait and waits. It returns the context's error when that ends first.
func (b *Backoff) Wait(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Sleep waits for d, or returns the context's error when that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
