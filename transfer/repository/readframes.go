package repository

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/buffer"
	"loggia/transfer/index"
)

const (
	// ReadGap is how many unwanted bytes are read to save a request: at 650 requests/s and some
	// 900 MB/s of a local store, a request costs about a MiB; over a network a quarter of it does.
	ReadGap = 256 << 10
	// readSpan bounds one range request and its buffer, in bytes. Where many read at once it is less, down to one frame:
	// an answer over a slow or long way holds its buffers while it waits for the way, and others have to have some, too.
	readSpan = 4 << 20
	// readShare is the part of the pool's free memory that one reader takes at most.
	readShare = 4
	// readAhead is how many ranges are read at once, of which one is being used.
	readAhead = 4
)

// ReadFrames reads the frames of many locations with few requests: each frame once, in order of
// place, neighbours together. fn is called by one goroutine at a time; stored is valid until it
// returns, and its id was checked unless o says otherwise. Memory: up to readAhead buffers from the pool, taken together before
// the first request, of at most 4 MiB each, together a quarter of what the pool has free, but never less than the longest frame; and o.Room.
// Where fn waits for memory of another pool user, that user must not wait for this one's: give readers and writers pools of their own.
// Errors: fn's own, ErrDamaged, ErrMissing, or the store's.
func (r *Repository) ReadFrames(ctx context.Context, locs []index.Location, o ReadOptions, fn UseFrame) error {
	share := (r.Pool.Budget() - r.Pool.Lent()) / readShare
	spans := coalesce(locs, min(readSpan, share))
	if len(spans) == 0 {
		return nil
	}
	most := 0
	for _, s := range spans {
		most = max(most, s.length())
	}
	n := max(1, min(readAhead, len(spans), int(share)/most))
	mem, err := r.Pool.Get(ctx, n*most+o.Room)
	if err != nil {
		return fmt.Errorf("memory to read frames: %w", err)
	}
	return r.readSpans(ctx, spans, mem, n, most, func(loc index.Location, stored, room []byte) error {
		if o.Unchecked == nil || !o.Unchecked(loc) {
			if err := r.checkFrame(loc, stored); err != nil {
				return err
			}
		}
		return fn(loc, stored, room)
	})
}

// ReadOptions say how frames are read. The zero value checks each and lends no room.
type ReadOptions struct {
	Room int // bytes that are lent to work in, the same at each call
	// Unchecked names frames whose ids are not computed: who takes their bytes checks what it takes. nil: none.
	Unchecked func(index.Location) bool
}

// UseFrame uses a frame that was read, and has room to work in, of the size that was asked for, or none.
type UseFrame func(loc index.Location, stored, room []byte) error

// fetched is a span on its way; ready is closed when it is there.
type fetched struct {
	span  span
	buf   []byte
	ready chan struct{}
}

// readSpans reads n spans at once and uses them in order.
func (r *Repository) readSpans(ctx context.Context, spans []span, mem *buffer.Buffer, n, most int, fn UseFrame) error {
	defer mem.Release() // after every reader has ended
	free := make(chan []byte, n)
	for i := range n {
		free <- mem.Bytes()[i*most : (i+1)*most]
	}
	g, ctx := errgroup.WithContext(ctx)
	coming := make(chan fetched, n)
	g.Go(func() error {
		defer close(coming)
		for _, s := range spans {
			f := fetched{span: s, ready: make(chan struct{})}
			select {
			case f.buf = <-free:
			case <-ctx.Done():
				return ctx.Err()
			}
			g.Go(func() error {
				if err := r.readRange(ctx, s[0], s[0].FrameOffset, f.buf[:s.length()]); err != nil {
					return err
				}
				close(f.ready)
				return nil
			})
			coming <- f // has room for every buffer
		}
		return nil
	})
	g.Go(func() error {
		for f := range coming {
			select {
			case <-f.ready:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := useSpan(f.span, f.buf, mem.Bytes()[n*most:], fn); err != nil {
				return err
			}
			free <- f.buf
		}
		return nil
	})
	return g.Wait()
}

func useSpan(s span, buf, room []byte, fn UseFrame) error {
	for _, loc := range s {
		at := loc.FrameOffset - s[0].FrameOffset
		stored := buf[at : at+int64(loc.FrameStored) : at+int64(loc.FrameStored)]
		if err := fn(loc, stored, room); err != nil {
			return err
		}
	}
	return nil
}

// span is some frames of one pack in order, read with one request.
type span []index.Location

func (s span) length() int {
	last := s[len(s)-1]
	return int(last.FrameOffset + int64(last.FrameStored) - s[0].FrameOffset)
}

// coalesce sorts locations by place, drops repeated frames and joins neighbours, up to limit bytes.
func coalesce(locs []index.Location, limit int64) []span {
	locs = slices.Clone(locs)
	slices.SortFunc(locs, func(a, b index.Location) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Epoch, b.Epoch),
			bytes.Compare(a.Pack[:], b.Pack[:]), cmp.Compare(a.FrameOffset, b.FrameOffset))
	})
	var spans []span
	for _, loc := range locs {
		if n := len(spans); n > 0 {
			s := spans[n-1]
			last := s[len(s)-1]
			if samePack(last, loc) && last.FrameOffset == loc.FrameOffset {
				continue
			}
			end := last.FrameOffset + int64(last.FrameStored)
			if samePack(last, loc) && loc.FrameOffset >= end && loc.FrameOffset-end <= ReadGap &&
				loc.FrameOffset+int64(loc.FrameStored)-s[0].FrameOffset <= limit {
				spans[n-1] = append(s, loc)
				continue
			}
		}
		spans = append(spans, span{loc})
	}
	return spans
}

func samePack(a, b index.Location) bool {
	return a.Kind == b.Kind && a.Epoch == b.Epoch && a.Pack == b.Pack
}
