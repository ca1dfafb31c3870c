package pull

import (
	"context"
	"errors"

	"loggia/transfer/chunk"
)

// fromDirect takes of the job what can be had past the source. Bytes that are not what was asked for are left to the source; what
// is returned concerns the output, or ctx.
func (f *fetcher) fromDirect(ctx context.Context) error {
	var own error
	_ = f.o.Direct.Fetch(ctx, f.job.want, func(stored []byte, refs []chunk.Ref) error { // the source gives what it did not
		f.wire.Add(int64(len(stored)))
		f.direct.Add(int64(len(stored)))
		err := f.place(stored, refs)
		if errors.Is(err, errUseless) {
			return err
		}
		if !errors.Is(err, ErrVerification) {
			own = err
		}
		return own
	})
	f.waste = 0
	if own != nil {
		return own
	}
	return ctx.Err()
}

// rest is what is left of the job, in requests of a size to be sent again.
func (f *fetcher) rest() (requests [][]Want) {
	part := newJob(sourceLimit(f.wire.Load(), f.fetched.Load()))
	for _, w := range f.job.want {
		for _, id := range w.IDs {
			if !f.left[id] {
				continue
			}
			if part.full() {
				requests = append(requests, part.want)
				part = newJob(sourceLimit(f.wire.Load(), f.fetched.Load()))
			}
			part.add(w.Span, chunk.Ref{ID: id, Length: f.job.length[id]})
		}
	}
	if len(part.want) > 0 {
		requests = append(requests, part.want)
	}
	return requests
}
