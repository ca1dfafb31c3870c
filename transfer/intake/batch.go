package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/repository"
	"loggia/transfer/wire"
)

// MaxBatch bounds one batch, in bytes.
const MaxBatch = 8 << 20

// A batch is first read into small buffers, which the usual frames of 512 KiB fit, and goes on in large
// ones at the first record that does not fit.
const (
	smallRecord = wire.MinBuffer + 256<<10 - frame.Slack // with smallPlain as much as the pool lends in one piece
	smallPlain  = 512<<10 + frame.Slack
)

// Batch takes one batch in. It returns when all of it is accepted: checked, and on its way to
// the store; Durable tells what has arrived there. Batches may come in parallel, in any order, and
// twice; source tells apart those who send some at the same time, and need not be known. Errors: ErrFrame, ErrLeaf, ErrBatch, ErrTooMuch, ErrPending, ErrClosed, those of package wire, of the reader and
// of the store.
func (s *Session) Batch(ctx context.Context, source int, r io.Reader) error {
	ctx, leave, err := s.enter(ctx, 1)
	if err != nil {
		return err
	}
	defer leave()
	b := &intakeBatch{s: s, lane: repository.Lane(source, s.batches.Add(1))}
	defer b.release()
	if err := b.lend(ctx, smallRecord, smallPlain); err != nil {
		return err
	}
	limited := &io.LimitedReader{R: r, N: MaxBatch}
	b.r = wire.NewReader(limited, b.record)
	b.r.Grow = func(int) ([]byte, error) {
		err := b.large(ctx)
		return b.record, err
	}
	for {
		rec, err := b.r.Next()
		if errors.Is(err, io.EOF) {
			return s.checkpointIfDue(ctx, checkpointAt)
		}
		if errors.Is(err, wire.ErrTruncated) && limited.N == 0 {
			return fmt.Errorf("%w: more than %d bytes", ErrBatch, MaxBatch)
		}
		if err != nil {
			return fmt.Errorf("read batch: %w", err)
		}
		if err := b.take(ctx, rec); err != nil {
			return err
		}
	}
}

// intakeBatch is one call of Batch. It holds one buffer of the scratch pool at a time.
type intakeBatch struct {
	s      *Session
	lane   uint64 // what came together lies together
	r      *wire.Reader
	buf    *buffer.Buffer
	record []byte
	plain  []byte
	hasher chunk.Hasher
}

// lend exchanges the buffer for another; the old one goes back first, so that nobody waits for
// scratch memory while holding some.
func (b *intakeBatch) lend(ctx context.Context, record, plain int) error {
	b.release()
	buf, err := b.s.Scratch.Get(ctx, record+plain)
	if err != nil {
		return fmt.Errorf("memory to take a batch in: %w", err)
	}
	b.buf = buf
	b.record, b.plain = buf.Bytes()[:record:record], buf.Bytes()[record:]
	return nil
}

func (b *intakeBatch) large(ctx context.Context) error {
	return b.lend(ctx, wire.MaxRecord, frame.MaxPlain+frame.Slack)
}

func (b *intakeBatch) release() {
	b.buf.Release()
	b.buf = nil
}

func (b *intakeBatch) take(ctx context.Context, rec wire.Record) error {
	switch rec.Kind {
	case wire.KindFrame:
		if err := b.s.checkpointIfDue(ctx, checkpointBefore); err != nil {
			return err
		}
		return b.frame(ctx, rec)
	case wire.KindLeaf:
		return b.s.leaf(ctx, rec.Span, rec.Data)
	default:
		return fmt.Errorf("%w: it holds a %s record", ErrBatch, rec.Kind)
	}
}

// frame checks one frame and keeps it. One whose chunks are all kept already is passed over.
func (b *intakeBatch) frame(ctx context.Context, rec wire.Record) error {
	if fresh, err := b.s.anyNew(rec.Refs); err != nil || !fresh {
		return err
	}
	plain, id, err := b.check(ctx, &rec)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFrame, err)
	}
	if err := b.s.allow(int64(plain)); err != nil {
		return err
	}
	if err := b.s.repo.add(ctx, b.lane, rec.Data, id, plain, rec.Refs); err != nil {
		return fmt.Errorf("keep frame: %w", err)
	}
	return b.s.kept(ctx, rec.Refs, int64(len(rec.Data)))
}

// allow counts plain bytes to be kept. A disk that changed while it was sent may bring as much again, more
// is not of this disk.
func (s *Session) allow(plain int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plain+plain > 2*s.Length+MaxBatch {
		return fmt.Errorf("%w: %d bytes for a disk of %d", ErrTooMuch, s.plain+plain, s.Length)
	}
	s.plain += plain
	return nil
}

// anyNew says whether a chunk is not kept yet, or there is none.
func (s *Session) anyNew(refs []chunk.Ref) (bool, error) {
	for _, ref := range refs {
		if own, err := s.repo.owns(ref.ID); err != nil || !own {
			return true, err
		}
	}
	return len(refs) == 0, nil
}

// check unpacks the frame and hashes every chunk of it (D3), and the frame itself.
func (b *intakeBatch) check(ctx context.Context, rec *wire.Record) (plainSize uint32, id digest.Digest, err error) {
	h, err := frame.ParseHeader(rec.Data)
	if err != nil {
		return 0, id, err
	}
	var sum int64
	for _, ref := range rec.Refs {
		if ref.Length == 0 || ref.Length > b.s.Params.Max {
			return 0, id, fmt.Errorf("chunk %s of %d bytes", ref.ID.Short(), ref.Length)
		}
		sum += int64(ref.Length)
	}
	if len(rec.Refs) == 0 || sum != int64(h.Plain) {
		return 0, id, fmt.Errorf("%d chunks of %d bytes in a frame of %d", len(rec.Refs), sum, h.Plain)
	}
	plain, err := b.unpack(ctx, rec, h.Plain)
	if err != nil {
		return 0, id, err
	}
	b.hasher.Add(rec.Data)
	for _, ref := range rec.Refs {
		b.hasher.Add(plain[:ref.Length])
		plain = plain[ref.Length:]
	}
	ids := b.hasher.IDs()
	for i, ref := range rec.Refs {
		if got := ids[1+i]; got != ref.ID {
			return 0, id, fmt.Errorf("chunk %s has the hash %s", ref.ID.Short(), got.Short())
		}
	}
	return h.Plain, ids[0], nil
}

// unpack returns the frame's plain bytes, which lie in the batch's buffer. A frame that is short and unpacks to
// much is set aside while the buffer is exchanged.
func (b *intakeBatch) unpack(ctx context.Context, rec *wire.Record, plain uint32) ([]byte, error) {
	if int(plain)+frame.Slack > len(b.plain) {
		rec.Data = bytes.Clone(rec.Data)
		if err := b.large(ctx); err != nil {
			return nil, err
		}
		b.r.SetBuffer(b.record)
	}
	return frame.Open(b.plain[:0:plain+frame.Slack], rec.Data, b.s.Decoder)
}
