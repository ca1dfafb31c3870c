package service

import (
	"context"
	"errors"
	"time"

	"loggia/api/manage"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// Log is the way into the replicated log. The node must lead: a person's request reaches the
// leader whole, before it comes here.
type Log interface {
	Propose(ctx context.Context, h command.Header, c command.Command) (command.Result, error)
}

// Caller is who asks, and where.
type Caller struct {
	RequestID string             // a repeat gets the first result
	Principal string             // for people and for the audit
	Region    gallery.RegionName // of the node that took the request
}

type callerKey struct{}

// WithCaller puts the caller into a request's context.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns the caller of a request.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// Options is what a Service needs.
type Options struct {
	State   func() *state.View
	Log     Log
	Cluster Cluster
	Settle  func(ctx context.Context, consistency string) (time.Duration, bool, error)
	// NewSigningKey makes a key that signs from now on.
	NewSigningKey func() (gallery.SigningKey, error)
	// Allowed says whether the caller of a context may do action at scope; named is what the caller called it.
	Allowed func(ctx context.Context, action, scope, named string) error
	// Disk says whether the caller of a context may make something of a disk that it names.
	Disk func(ctx context.Context, id gallery.DiskID) error
	Now  func() time.Time
}

// Service implements manage.Service. It is safe for use by many goroutines.
type Service struct {
	o Options
}

var _ manage.Service = (*Service)(nil)

// New returns a service.
func New(o Options) *Service { return &Service{o} }

// Settle implements manage.Service.
func (s *Service) Settle(ctx context.Context, consistency string) (time.Duration, bool, error) {
	return s.o.Settle(ctx, consistency)
}

// propose puts a command into the log in the caller's name.
func (s *Service) propose(ctx context.Context, c command.Command) (command.Result, error) {
	who := CallerOf(ctx)
	res, err := s.o.Log.Propose(ctx, command.Header{RequestID: who.RequestID, Principal: who.Principal, Time: s.o.Now()}, c)
	if err != nil {
		return res, err
	}
	return res, res.Failure()
}

// put proposes a command whose result is a T.
func put[T any](ctx context.Context, s *Service, c command.Command) (T, error) {
	var zero T
	res, err := s.propose(ctx, c)
	if err != nil {
		return zero, err
	}
	v, ok := res.Value.(*T)
	if !ok {
		return zero, errors.New("the log answered with another kind of result")
	}
	return *v, nil
}

// defaults are the cluster's subscription and tenant, which every name of this surface lies in.
func (s *Service) defaults(v *state.View) (*gallery.Cluster, error) {
	c := v.Cluster()
	if c == nil {
		return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Message: "the cluster is not founded yet"}
	}
	return c, nil
}

func precondition(c manage.Condition) command.Precondition {
	return command.Precondition{ETag: c.IfMatch, Absent: c.OnlyNew}
}

func notFound(op, resource string) error {
	return &gallery.Error{Kind: gallery.ErrNotFound, Op: op, Resource: resource, Message: "does not exist"}
}

func values[T any](in []*T) []T {
	out := make([]T, 0, len(in))
	for _, v := range in {
		out = append(out, *v)
	}
	return out
}

// group is the resource group of this surface.
const group = "default"
