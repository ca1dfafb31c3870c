package pull

import (
	"context"
	"errors"
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
)

// errUseless ends a request whose answer is not what was asked for.
var errUseless = errors.New("the source sends what was not asked for")

// fetcher holds one request and one frame's plain bytes.
type fetcher struct {
	*puller
	job   *job
	left  map[chunk.ID]bool
	waste int64 // stored bytes since something wanted came
	plain []byte
}

// fetchJobs fetches what is missing until there is nothing more.
func (p *puller) fetchJobs(ctx context.Context, jobs <-chan *job) error {
	f := &fetcher{puller: p}
	for job := range jobs {
		if err := f.fetch(ctx, job); err != nil {
			return fmt.Errorf("fetch chunks of span %d: %w", job.want[0].Span, err)
		}
		p.report()
	}
	return ctx.Err()
}

func (f *fetcher) fetch(ctx context.Context, j *job) error {
	f.job, f.left, f.waste = j, make(map[chunk.ID]bool, len(j.places)), 0
	for id := range j.places {
		f.left[id] = true
	}
	var own error
	err := f.src.Fetch(ctx, j.want, func(stored []byte, refs []chunk.Ref) error {
		f.wire.Add(int64(len(stored)))
		own = f.place(stored, refs)
		return own
	})
	switch {
	case own != nil:
		return own
	case err != nil:
		return err
	case len(f.left) > 0:
		return fmt.Errorf("%w: the source left out %d chunks", ErrVerification, len(f.left))
	}
	return nil
}

// place unpacks a frame, checks the chunks that are wanted, and writes them where they belong.
func (f *fetcher) place(stored []byte, refs []chunk.Ref) error {
	if !f.useful(refs) {
		if f.waste += int64(len(stored)); f.waste > f.job.wasteLimit() {
			return errUseless
		}
		return nil
	}
	f.waste = 0
	b, err := frame.Decode(f.plain[:0], stored, f.dec)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrVerification, err)
	}
	f.plain = b // grown to what it needs, at most frame.MaxPlain
	for _, ref := range refs {
		if int64(ref.Length) > int64(len(b)) {
			return fmt.Errorf("%w: frame is shorter than its chunks", ErrVerification)
		}
		data := b[:ref.Length]
		b = b[ref.Length:]
		if !f.left[ref.ID] {
			continue
		}
		if ref.Length != f.job.length[ref.ID] || chunk.Hash(data) != ref.ID {
			return fmt.Errorf("%w: chunk %s is not what was asked for", ErrVerification, ref.ID.Short())
		}
		if err := f.put(ref.ID, data); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetcher) useful(refs []chunk.Ref) bool {
	for _, ref := range refs {
		if f.left[ref.ID] {
			return true
		}
	}
	return false
}

// put writes a verified chunk wherever it belongs.
func (f *fetcher) put(id chunk.ID, data []byte) error {
	places := f.job.places[id]
	for _, at := range places {
		if err := f.out.write(data, at); err != nil {
			return err
		}
	}
	f.fetched.Add(int64(len(data)) * int64(len(places)))
	delete(f.left, id)
	return f.done.Add(id, uint64(places[0]))
}
