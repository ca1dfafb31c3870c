package intake

import (
	"context"
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/idset"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
)

// Known calls fn with the chunks that the client need not send: those of the base versions, and
// those of this upload that are durable. What was accepted is made durable first, so that a client that
// comes back sends it no second time. An id may come more than once.
func (s *Session) Known(ctx context.Context, fn func(chunk.ID) error) error {
	ctx, leave, err := s.enter(ctx, 1)
	if err != nil {
		return err
	}
	defer leave()
	if err := s.checkpointIfDue(ctx, 1); err != nil {
		return err
	}
	if err := s.bases.Each(fn); err != nil {
		return err
	}
	return s.repo.own(ctx, fn)
}

// Spans calls fn with the finished spans, in no order.
func (s *Session) Spans(ctx context.Context, fn func(manifest.SpanRef) error) error {
	_, leave, err := s.enter(ctx, 1)
	if err != nil {
		return err
	}
	defer leave()
	for _, f := range s.finished() {
		if err := fn(f.leaf); err != nil {
			return err
		}
	}
	return nil
}

// finished returns the spans that are done, in no order.
func (s *Session) finished() []finished {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]finished, 0, len(s.done))
	for _, f := range s.done {
		list = append(list, f)
	}
	return list
}

// learnBases notes the chunks of the base versions that the live index has: what is not there now must
// be sent, whoever named it. What several of them share is read once.
func (s *Session) learnBases(ctx context.Context) error {
	seen := idset.New(s.TempDir, nodesInMemory)
	defer seen.Close()
	visit := manifest.Visitor{
		Enter: func(node chunk.ID) (bool, error) { return seen.AddNew(node, 0) },
		Leaf: func(leaf *manifest.Leaf) error {
			for _, e := range leaf.Entries {
				if err := s.learn(e); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for _, id := range s.Bases {
		if _, err := manifest.Reach(ctx, s.View, id, visit); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrBase, id.Short(), err)
		}
	}
	return nil
}

// nodesInMemory is how many nodes of base versions are noted in memory, for disks of some 250 GiB.
const nodesInMemory = 4 << 10

func (s *Session) learn(e manifest.Entry) error {
	if e.Hole() {
		return nil
	}
	loc, ok, err := s.View.Lookup(e.ID)
	if err != nil || !ok || loc.Kind != pack.Data {
		return err
	}
	return s.bases.Add(e.ID, 0)
}

// baseFrame finds a chunk that a base version gives, in the live index. A chunk that the repository
// holds for others is not found: a client learns of nothing that it may not read.
func (s *Session) baseFrame(id chunk.ID) (manifest.Frame, bool, error) {
	if _, ok, err := s.bases.Get(id); err != nil || !ok {
		return manifest.Frame{}, false, err
	}
	loc, ok, err := s.View.Lookup(id)
	if err != nil || !ok || loc.Kind != pack.Data {
		return manifest.Frame{}, false, err
	}
	return frameAt(loc)
}
