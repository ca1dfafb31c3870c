package tokens

import (
	"context"
	"log/slog"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// Rotator is the leader's duty for the signing keys.
type Rotator struct {
	Watched func() (*state.View, *state.Watch)
	Propose func(ctx context.Context, c command.Command) error
	Secret  []byte // the cluster's
	Now     func() time.Time
	Log     *slog.Logger
}

// rotateEvery is how often the keys' ages are looked at.
const rotateEvery = 10 * time.Minute

// Run keeps the cluster in signing keys until ctx ends, which is when leadership is lost. The first key is made as soon
// as the cluster is founded and all its nodes know of keys.
func (r *Rotator) Run(ctx context.Context) error {
	for {
		v, watch := r.Watched()
		wait := rotateEvery
		if c := v.Cluster(); c != nil && command.Needs(command.Header{}, &command.SigningKeyPut{}) <= c.Version {
			if err := r.step(ctx, v.SigningKeys()); err != nil && ctx.Err() == nil {
				r.Log.Warn("the signing keys were not seen to; it is tried again", "error", err)
				wait = time.Second
			}
		}
		bounded, cancel := context.WithTimeout(ctx, wait)
		_ = watch.Wait(bounded) // a change or the time: both mean to look again
		cancel()
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (r *Rotator) step(ctx context.Context, rows []*gallery.SigningKey) error {
	from, add, drop := Rotation(rows, r.Now())
	if add {
		k, err := NewSigningKey(r.Secret, from)
		if err != nil {
			return err
		}
		if err := r.Propose(ctx, &command.SigningKeyPut{Key: k}); err != nil {
			return err
		}
		r.Log.Info("a new key will sign access tokens", "key", k.ID, "from", from)
	}
	for _, id := range drop {
		if err := r.Propose(ctx, &command.SigningKeyDelete{ID: id}); err != nil {
			return err
		}
		r.Log.Info("a key that signs no more was dropped", "key", id)
	}
	return nil
}
