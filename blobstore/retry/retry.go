// Package retry repeats calls of a store that may succeed next time, by the kind of failure.
package retry

import (
	"context"
	"time"

	"loggia/blobstore"
	"loggia/internal/backoff"
)

// Policy says how often a kind of failure is met, and with what waits.
type Policy struct {
	Attempts int // in all, the first one too
	Wait     backoff.Policy
}

// Options are the policies; Default has the values we run with.
type Options struct {
	Throttled   Policy // the store asks to slow down
	Unavailable Policy // network, 5xx, and whatever has no kind
	Damaged     Policy // short bodies, sums that the store refused

	Random  backoff.Random // nil means math/rand/v2
	Observe func(Event)    // called before each wait, from many goroutines; may be nil
}

// Event is one failure that will be repeated.
type Event struct {
	Op      string // put, get, read (a body that broke), stat, list, delete, capacity, copy
	Key     string
	Kind    blobstore.Kind
	Err     error
	Attempt int // that failed, from 1
	Wait    time.Duration
}

// Default outlasts a restart of the service (about 40 s on average) and a throttled minute (about
// 2 min), and gives damage three chances: a second disk or path may be sound.
func Default() Options {
	return Options{
		Throttled:   Policy{Attempts: 10, Wait: backoff.Policy{Base: time.Second, Max: 60 * time.Second}},
		Unavailable: Policy{Attempts: 9, Wait: backoff.Policy{Base: 250 * time.Millisecond, Max: 15 * time.Second}},
		Damaged:     Policy{Attempts: 3, Wait: backoff.Policy{Base: 100 * time.Millisecond, Max: time.Second}},
	}
}

// budget counts the failures of one call, per kind. It is not safe for many goroutines.
type budget struct {
	o       *Options
	op, key string
	failed  map[blobstore.Kind]*backoff.Backoff
	total   int
}

func (o *Options) budget(op, key string) *budget {
	return &budget{o: o, op: op, key: key, failed: map[blobstore.Kind]*backoff.Backoff{}}
}

// again waits and returns nil when the call should be repeated, else the error to answer with:
// err itself, or the context's when that ended first.
func (b *budget) again(ctx context.Context, op string, err error) error {
	if blobstore.Permanent(err) {
		return err
	}
	kind, policy := b.o.policy(err)
	w := b.failed[kind]
	if w == nil {
		w = backoff.New(policy.Wait, b.o.Random)
		b.failed[kind] = w
	}
	b.total++
	if w.Attempts()+1 >= policy.Attempts {
		return err
	}
	wait := w.Next()
	if b.o.Observe != nil {
		b.o.Observe(Event{Op: op, Key: b.key, Kind: blobstore.KindOf(err), Err: err, Attempt: b.total, Wait: wait})
	}
	return backoff.Sleep(ctx, wait)
}

func (o *Options) policy(err error) (blobstore.Kind, Policy) {
	switch blobstore.KindOf(err) {
	case blobstore.KindThrottled:
		return blobstore.KindThrottled, o.Throttled
	case blobstore.KindDamaged:
		return blobstore.KindDamaged, o.Damaged
	}
	return blobstore.KindUnavailable, o.Unavailable
}
