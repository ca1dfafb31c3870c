package intake

import (
	"context"
	"errors"
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
)

// adopt takes over what earlier sessions of this upload left: every pack that is there, and those of
// their finished spans whose chunks are. Then it makes a checkpoint of its own.
func (s *Session) adopt(ctx context.Context) error {
	if len(s.Predecessors) == 0 {
		return nil
	}
	found, err := s.repo.w.Adopt(ctx, s.Predecessors, s.Skip)
	if err != nil {
		return fmt.Errorf("adopt packs: %w", err)
	}
	s.accepted = found.Stored
	for _, epoch := range s.Predecessors {
		if err := s.adoptCheckpoints(ctx, epoch); err != nil {
			return fmt.Errorf("adopt checkpoints: %w", err)
		}
	}
	return s.checkpointIfDue(ctx, 1)
}

func (s *Session) adoptCheckpoints(ctx context.Context, epoch uint64) error {
	return s.Repository.Checkpoints(ctx, epoch, func(_ uint64, data []byte) error {
		c, err := decodeCheckpoint(data)
		if err != nil || c.length != s.Length || c.params != s.Params {
			return nil // the client sends those spans again
		}
		for _, f := range c.spans {
			if err := s.adoptSpan(ctx, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// adoptSpan takes a finished span over if its leaf can be read and every chunk is still there: what it took
// from base versions may have gone since. Else the client sends it again.
func (s *Session) adoptSpan(ctx context.Context, f finished) error {
	if s.isDone(f.leaf.Span, f.leaf.ID) {
		return nil
	}
	node, err := s.repo.node(ctx, f.leaf.ID)
	if errors.Is(err, repository.ErrMissing) || errors.Is(err, repository.ErrDamaged) {
		return nil
	}
	if err != nil {
		return err
	}
	leaf, err := s.decodeLeaf(f.leaf.Span, node)
	if err != nil || !s.allThere(leaf) {
		return nil
	}
	return s.finish(ctx, f.leaf.Span, leaf, node)
}

func (s *Session) allThere(leaf *manifest.Leaf) bool {
	for _, ref := range leaf.Distinct() {
		if _, err := s.frameOf(0, chunk.Ref{ID: ref.ID}); err != nil {
			return false
		}
	}
	return true
}
