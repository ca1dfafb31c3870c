// Package arm is what Azure's Resource Manager asks of a node: it answers from the state and turns writes into commands.
package arm

import (
	"context"
	"errors"
	"strconv"
	"time"

	"loggia/api/azure"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/service"
)

// Options is what a Service needs.
type Options struct {
	State  func() *state.View
	Log    service.Log
	Settle func(ctx context.Context, consistency string) (time.Duration, bool, error)
	// Link signs a link to the disk of a snapshot and returns its path.
	Link func(ref gallery.SnapshotRef, access gallery.Access) string
	Now  func() time.Time
	// Notes says what the workers of a version's copies do right now.
	Notes func(ctx context.Context, v *gallery.ImageVersion) map[gallery.ReplicaKey]string
}

// Service implements azure.Service. It is safe for use by many goroutines.
type Service struct{ o Options }

var _ azure.Service = (*Service)(nil)

// New returns a service.
func New(o Options) *Service { return &Service{o} }

// Settle implements azure.Service.
func (s *Service) Settle(ctx context.Context, consistency string) (time.Duration, bool, error) {
	return s.o.Settle(ctx, consistency)
}

// propose puts a command into the log in the caller's name, with the operation that it begins. A later try of the same request is another
// request: the first one's refusal is remembered.
func (s *Service) propose(ctx context.Context, w azure.Write, c command.Command) (command.Result, error) {
	who := service.CallerOf(ctx)
	h := command.Header{RequestID: who.RequestID, Principal: who.Principal, Time: s.o.Now(), Operation: w.Start}
	if w.Try > 0 && h.RequestID != "" {
		h.RequestID += "/" + strconv.Itoa(w.Try)
	}
	res, err := s.o.Log.Propose(ctx, h, c)
	if err != nil {
		return res, err
	}
	return res, res.Failure()
}

// put proposes a command whose result is a T.
func put[T any](ctx context.Context, s *Service, w azure.Write, c command.Command) (T, error) {
	var zero T
	res, err := s.propose(ctx, w, c)
	if err != nil {
		return zero, err
	}
	v, ok := res.Value.(*T)
	if !ok {
		return zero, errors.New("the log answered with another kind of result")
	}
	return *v, nil
}

func precondition(w azure.Write) command.Precondition {
	return command.Precondition{ETag: w.ETag, Absent: w.Absent}
}

func missing(what string) error {
	return &gallery.Error{Kind: gallery.ErrNotFound, Resource: what, Message: "does not exist"}
}

// found copies a row, or says that it is not there.
func found[T any](row *T, what string) (T, error) {
	if row == nil {
		var zero T
		return zero, missing(what)
	}
	return *row, nil
}

func values[T any](in []*T) []T {
	out := make([]T, 0, len(in))
	for _, v := range in {
		out = append(out, *v)
	}
	return out
}

// tenant is the tenant of a subscription.
func (s *Service) tenant(v *state.View, id gallery.SubscriptionID) (gallery.TenantID, error) {
	sub := v.Subscription(id)
	if sub == nil {
		return "", missing(string(id))
	}
	return sub.Tenant, nil
}
