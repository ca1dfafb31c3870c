// Package compose puts the decorators around a store, in the one right order.
package compose

import (
	"context"
	"errors"

	"loggia/blobstore"
	"loggia/blobstore/limit"
	"loggia/blobstore/metrics"
	"loggia/blobstore/reserve"
	"loggia/blobstore/retry"
)

// Options say what to put around a store.
type Options struct {
	Name    string           // of the store in metrics
	Metrics *metrics.Metrics // nil: not counted
	Limiter *limit.Limiter   // may be shared between stores; nil: not limited
	Reserve reserve.Options
	Retry   *retry.Options // nil means retry.Default
}

// Validate reports what is wrong.
func (o Options) Validate() error {
	var err error
	if o.Metrics != nil && o.Name == "" {
		err = errors.New("compose: metrics need the store's name")
	}
	return errors.Join(err, o.Reserve.Validate())
}

// Store is a store as the rest of Loggia sees it. It is a blobstore.Copier by type; ask
// blobstore.CanCopy.
type Store struct {
	*retry.Store

	Space   *reserve.Store // its state, and reservations
	Limiter *limit.Limiter // nil where Options had none
}

// Run watches the store until ctx ends.
func (s *Store) Run(ctx context.Context) error { return s.Space.Run(ctx) }

// Wrap composes, from the outside in:
//
//	retry    waits between attempts hold no slot of the limit
//	reserve  a full store is seen at once, and is not retried; the watch sees single attempts
//	limit    every attempt counts against the bounds
//	metrics  every attempt is counted, by its own time without the waits
func Wrap(next blobstore.Store, o Options) *Store {
	policies := retry.Default()
	if o.Retry != nil {
		policies = *o.Retry
	}
	if o.Metrics != nil {
		next = metrics.NewStore(next, o.Metrics, o.Name)
		policies.Observe = both(policies.Observe, o.Metrics.Retries(o.Name))
	}
	if o.Limiter != nil {
		if o.Metrics != nil {
			o.Metrics.Window(o.Name, o.Limiter.Windows)
		}
		next = limit.NewStore(next, o.Limiter)
	}
	space := reserve.New(next, o.Reserve)
	return &Store{Store: retry.New(space, policies), Space: space, Limiter: o.Limiter}
}

func both(a, b func(retry.Event)) func(retry.Event) {
	if a == nil {
		return b
	}
	return func(e retry.Event) {
		a(e)
		b(e)
	}
}
