package intake

import (
	"context"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// The bounds of leaves that wait for chunks. A client that sends leaves behind their chunks has as
// many waiting as it has batches and workers.
const (
	maxPending      = 1024
	maxPendingBytes = 32 << 20
)

// pending is a leaf that names chunks which have not come yet.
type pending struct {
	span    int64
	node    []byte
	missing map[chunk.ID]struct{}
}

// leaf takes the manifest leaf of a span in: it is finished as soon as its last chunk is known.
func (s *Session) leaf(ctx context.Context, span int64, node []byte) error {
	leaf, err := s.decodeLeaf(span, node)
	if err != nil {
		return err
	}
	if s.isDone(span, digest.Of(node)) {
		return nil
	}
	refs := leaf.Distinct()
	old, err := s.fromBases(refs)
	if err != nil {
		return err
	}
	wait, err := s.waitFor(span, node, refs, old)
	if err != nil || wait {
		return err
	}
	return s.finish(ctx, span, leaf, node)
}

func (s *Session) decodeLeaf(span int64, node []byte) (*manifest.Leaf, error) {
	if span >= s.shape.Spans() {
		return nil, fmt.Errorf("%w: span %d of a disk of %d", ErrLeaf, span, s.shape.Spans())
	}
	leaf, err := manifest.DecodeLeaf(node, s.Params, s.shape.SpanLength(span))
	if err != nil {
		return nil, fmt.Errorf("%w: span %d: %w", ErrLeaf, span, err)
	}
	return leaf, nil
}

func (s *Session) isDone(span int64, id chunk.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.done[span]
	return ok && f.leaf.ID == id
}

// fromBases says which of refs a base version gives.
func (s *Session) fromBases(refs []chunk.Ref) (map[chunk.ID]bool, error) {
	old := make(map[chunk.ID]bool)
	for _, ref := range refs {
		_, ok, err := s.baseFrame(ref.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			old[ref.ID] = true
		}
	}
	return old, nil
}

// waitFor puts the leaf aside if a chunk is neither in old nor kept yet, and says so. A chunk is
// kept before kept looks who waits for it, so none is missed.
func (s *Session) waitFor(span int64, node []byte, refs []chunk.Ref, old map[chunk.ID]bool) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(span)
	missing, err := s.repo.lacks(refs, old)
	if err != nil {
		return false, err
	}
	if len(missing) == 0 {
		return false, nil
	}
	if len(s.pending) >= maxPending || s.pendingBytes+len(node) > maxPendingBytes {
		return false, fmt.Errorf("%w: %d leaves of %d bytes", ErrPending, len(s.pending), s.pendingBytes)
	}
	s.pending[span] = &pending{span: span, node: append([]byte(nil), node...), missing: missing}
	s.pendingBytes += len(node)
	for id := range missing {
		s.waiting[id] = append(s.waiting[id], span)
	}
	return true, nil
}

// forget drops the leaf that waits for a span, if any. s.mu is held.
func (s *Session) forget(span int64) {
	p, ok := s.pending[span]
	if !ok {
		return
	}
	delete(s.pending, span)
	s.pendingBytes -= len(p.node)
	for id := range p.missing {
		if left := without(s.waiting[id], span); len(left) > 0 {
			s.waiting[id] = left
		} else {
			delete(s.waiting, id)
		}
	}
}

func without(spans []int64, span int64) []int64 {
	var left []int64
	for _, other := range spans {
		if other != span {
			left = append(left, other)
		}
	}
	return left
}

// kept counts a frame that the repository took, and finishes the leaves that waited for it.
func (s *Session) kept(ctx context.Context, refs []chunk.Ref, stored int64) error {
	for _, p := range s.resolve(refs, stored) {
		leaf, err := s.decodeLeaf(p.span, p.node)
		if err != nil {
			return err
		}
		if err := s.finish(ctx, p.span, leaf, p.node); err != nil {
			return err
		}
	}
	return nil
}

// resolve takes the leaves that waited for nothing but refs out of the pending ones.
func (s *Session) resolve(refs []chunk.Ref, stored int64) []*pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted += stored
	var ready []*pending
	for _, ref := range refs {
		for _, span := range s.waiting[ref.ID] {
			p := s.pending[span]
			delete(p.missing, ref.ID)
			if len(p.missing) == 0 {
				ready = append(ready, p)
				delete(s.pending, span)
				s.pendingBytes -= len(p.node)
			}
		}
		delete(s.waiting, ref.ID)
	}
	return ready
}

// finish puts a leaf whose chunks are all there, and the table leaf that says in which frames.
func (s *Session) finish(ctx context.Context, span int64, leaf *manifest.Leaf, node []byte) error {
	table, err := manifest.NewTableLeaf(leaf, func(ref chunk.Ref) (manifest.Frame, error) { return s.frameOf(span, ref) })
	if err != nil {
		return err
	}
	tableNode, parts, err := table.Encode(leaf)
	if err != nil {
		return fmt.Errorf("%w: span %d: %w", ErrLeaf, span, err)
	}
	for _, n := range append(parts, node, tableNode) {
		if err := s.repo.addNode(ctx, digest.Of(n), n); err != nil {
			return fmt.Errorf("keep leaf of span %d: %w", span, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[span] = finished{
		leaf:  manifest.SpanRef{Span: span, ID: digest.Of(node), Sums: leaf.Sums()},
		table: manifest.SpanRef{Span: span, ID: digest.Of(tableNode), Sums: table.Sums()},
	}
	s.fresh[span] = struct{}{}
	return nil
}

// frameOf names a frame that holds the chunk: one of this upload, else one of a base version.
func (s *Session) frameOf(span int64, ref chunk.Ref) (manifest.Frame, error) {
	f, ok, err := s.repo.frame(ref.ID)
	if err == nil && !ok {
		f, ok, err = s.baseFrame(ref.ID)
	}
	if err == nil && !ok {
		err = &UnresolvedError{Span: span, Chunk: ref.ID}
	}
	return f, err
}
