package pull

import (
	"context"
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
)

// fetchJobs fetches spans until there are no more. It holds one frame's plain bytes.
func (p *puller) fetchJobs(ctx context.Context, jobs <-chan fetchJob) error {
	plain := make([]byte, 0, frame.MaxPlain)
	for job := range jobs {
		left := make(map[chunk.ID]bool, len(job.want.IDs))
		for _, id := range job.want.IDs {
			left[id] = true
		}
		err := p.src.Fetch(ctx, []Want{job.want}, func(stored []byte, refs []chunk.Ref) error {
			p.wire.Add(int64(len(stored)))
			return p.place(plain, stored, refs, &job, left)
		})
		if err != nil {
			return fmt.Errorf("fetch span %d: %w", job.want.Span, err)
		}
		if len(left) > 0 {
			return fmt.Errorf("%w: the source left out %d chunks of span %d", ErrVerification, len(left), job.want.Span)
		}
		p.report()
	}
	return ctx.Err()
}

// place unpacks a frame, checks the chunks that are wanted, and writes them where they belong.
func (p *puller) place(plain, stored []byte, refs []chunk.Ref, job *fetchJob, left map[chunk.ID]bool) error {
	b, err := frame.Decode(plain[:0], stored, p.dec)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrVerification, err)
	}
	for _, ref := range refs {
		if int64(ref.Length) > int64(len(b)) {
			return fmt.Errorf("%w: frame is shorter than its chunks", ErrVerification)
		}
		data := b[:ref.Length]
		b = b[ref.Length:]
		if !left[ref.ID] {
			continue
		}
		if ref.Length != job.length[ref.ID] || chunk.Hash(data) != ref.ID {
			return fmt.Errorf("%w: chunk %s is not what was asked for", ErrVerification, ref.ID.Short())
		}
		places := job.places[ref.ID]
		for _, at := range places {
			if err := p.out.write(data, at); err != nil {
				return err
			}
		}
		p.fetched.Add(int64(len(data)) * int64(len(places)))
		delete(left, ref.ID)
		if err := p.done.Add(ref.ID, uint64(places[0])); err != nil {
			return err
		}
	}
	return nil
}
