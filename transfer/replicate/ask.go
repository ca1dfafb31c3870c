package replicate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// defaultStall is how long a source may send nothing.
const defaultStall = time.Minute

var errStalled = errors.New("source sends nothing")

// delivery is what is done with the frames of one answer.
type delivery struct {
	kind  pack.Kind
	takes taker
	known vouched
	each  func(ref chunk.Ref, data []byte) // shown each verified chunk, where not nil
}

// taker knows what is wanted.
type taker interface {
	// wants says whether one of the chunks is.
	wants(refs []chunk.Ref) bool
	// keep calls add for a frame that holds the chunks and is verified, unless all of them came meanwhile. Frames that lie together
	// on the disk have the same lane.
	keep(refs []chunk.Ref, stored int, add func(lane uint64) error) error
}

// ask sends one request and takes its answer in, of at most limit stored bytes. failed is the
// source's fault, err is the target's or that of ctx.
func (r *run) ask(ctx context.Context, s *place, ids []chunk.ID, limit int64, d delivery) (failed, err error) {
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(r.o.Stall, func() { cancel(errStalled) })
	defer watch.Stop()
	began, left := r.places.now(), limit
	var own error // of the target
	var h chunk.Hasher
	_, failed = s.Fetch(watched, ids, func(frames []Arrived) error {
		watch.Stop() // it is not the source's fault when the target is slow
		defer watch.Reset(r.o.Stall)
		if left == limit {
			s.speed.first(r.places.now().Sub(began))
		}
		for _, f := range frames {
			left -= int64(len(f.Stored))
		}
		if left < 0 {
			return fmt.Errorf("%w: more than the %d bytes that the answer may have", ErrLied, limit)
		}
		err := r.accept(watched, s, frames, &h, d)
		if err != nil && !errors.Is(err, ErrLied) {
			own = err
		}
		return err
	})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(context.Cause(watched), errStalled):
		return fmt.Errorf("%w for %s", errStalled, r.o.Stall), nil
	}
	return failed, own
}
