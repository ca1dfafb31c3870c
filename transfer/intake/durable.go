package intake

import (
	"context"
	"fmt"
	"slices"
)

// checkpointIfDue makes a checkpoint where at least so many stored bytes were accepted since the last
// one. At checkpointAt it leaves that to another call that is at it; else it waits for its turn.
func (s *Session) checkpointIfDue(ctx context.Context, limit int64) error {
	if !s.due(limit) {
		return nil
	}
	if limit == checkpointAt {
		if !s.checkpointing.TryAcquire(1) {
			return nil
		}
	} else if err := s.checkpointing.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer s.checkpointing.Release(1)
	if !s.due(limit) {
		return nil
	}
	// What was begun is finished also for a client that has gone: it concerns the other batches too.
	return s.checkpoint(s.life)
}

// due says whether so many stored bytes, or any span at a limit of 1, are in no checkpoint.
func (s *Session) due(limit int64) bool {
	recent := s.repo.recent()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted-s.durable >= limit || recent >= maxRecent || limit == 1 && len(s.fresh) > 0
}

// checkpoint makes durable what was accepted before the call: packs, then the segment, then the
// list of finished spans. s.checkpointing is held.
func (s *Session) checkpoint(ctx context.Context) error {
	accepted, spans := s.undurable()
	err := s.repo.flush(ctx)
	for part := range slices.Chunk(spans, maxCheckpointSpans) {
		if err == nil {
			err = s.writeCheckpoint(ctx, part)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		for _, f := range spans { // once more next time
			s.fresh[f.leaf.Span] = struct{}{}
		}
		return fmt.Errorf("make checkpoint: %w", err)
	}
	s.durable = max(s.durable, accepted)
	return nil
}

// undurable takes the spans that are in no checkpoint.
func (s *Session) undurable() (accepted int64, spans []finished) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for span := range s.fresh {
		spans = append(spans, s.done[span])
	}
	clear(s.fresh)
	return s.accepted, spans
}

func (s *Session) writeCheckpoint(ctx context.Context, spans []finished) error {
	s.mu.Lock()
	seq := s.seq
	s.seq++
	s.mu.Unlock()
	c := checkpoint{params: s.Params, length: s.Length, spans: spans}
	return s.repo.w.PutCheckpoint(ctx, seq, c.encode())
}
