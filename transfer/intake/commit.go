package intake

import (
	"bytes"
	"context"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
)

// Result is what the log's Complete command is made of.
type Result struct {
	Root     digest.Digest // identity of the content
	Table    digest.Digest // of its frame table
	Size     int64         // guest bytes
	Data     int64         // guest bytes that are no hole
	Stored   int64         // stored bytes of the frames in the table, counted in every span that lists them
	New      int64         // stored bytes that this upload brought, its predecessors included
	Segments []repository.SegmentRef
	Remove   []digest.Digest // live segments that Segments supersede
}

// Commit ends the upload: everything is made durable, the trees are built from the finished spans (a
// span that was never sent is a hole), and the version record and the segments are written. The same
// root again gets the same result, until Close. After a refusal the session goes on: the client may send
// what is missing. Errors: ErrRoot, ErrUnresolved, ErrClosed, and the store's.
func (s *Session) Commit(ctx context.Context, root digest.Digest) (Result, error) {
	ctx, leave, err := s.enter(ctx, maxParallel)
	if err != nil {
		return Result{}, err
	}
	defer leave()
	if s.result != nil {
		if s.result.Root != root {
			return Result{}, &RootError{Want: root, Got: s.result.Root}
		}
		return *s.result, nil
	}
	if err := s.unresolved(); err != nil {
		return Result{}, err
	}
	r, err := s.build(ctx, root)
	if err != nil {
		return Result{}, fmt.Errorf("commit upload: %w", err)
	}
	s.result = &r
	return r, nil
}

// unresolved names a chunk that a leaf still waits for: of the first span, the least.
func (s *Session) unresolved() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first *pending
	for _, p := range s.pending {
		if first == nil || p.span < first.span {
			first = p
		}
	}
	if first == nil {
		return nil
	}
	err := &UnresolvedError{Span: first.span}
	for id := range first.missing {
		if err.Chunk.IsZero() || bytes.Compare(id[:], err.Chunk[:]) < 0 {
			err.Chunk = id
		}
	}
	return err
}

// build makes the trees; nothing of them is put unless the root is the client's.
func (s *Session) build(ctx context.Context, want digest.Digest) (Result, error) {
	spans := s.finished()
	discard := func(context.Context, chunk.ID, []byte) error { return nil }
	root, err := s.manifest(ctx, spans, discard)
	if err != nil {
		return Result{}, err
	}
	if got := root.ID(); got != want {
		return Result{}, &RootError{Want: want, Got: got}
	}
	if _, err := s.manifest(ctx, spans, s.repo.addNode); err != nil {
		return Result{}, err
	}
	table, err := s.table(ctx, root, spans)
	if err != nil {
		return Result{}, err
	}
	// The spans may not be named in a checkpoint before they are durable, and a successor needs them.
	if err := s.checkpointIfDue(ctx, 1); err != nil {
		return Result{}, err
	}
	segments, err := s.repo.w.Finish(ctx, root.ID(), table.ID(), root.Length)
	if err != nil {
		return Result{}, err
	}
	segments, remove, err := s.repo.w.Tidy(ctx, segments)
	if err != nil {
		return Result{}, err
	}
	return Result{
		Remove: remove,
		Root:   root.ID(), Table: table.ID(), Size: root.Length, Data: root.Data, Stored: table.Stored,
		New: s.Durable(), Segments: segments,
	}, nil
}

func (s *Session) manifest(ctx context.Context, spans []finished, put manifest.PutFunc) (manifest.Root, error) {
	b, err := manifest.NewBuilder(s.Params, s.Length, put)
	if err != nil {
		return manifest.Root{}, err
	}
	for _, f := range spans {
		if err := b.AddRef(f.leaf); err != nil {
			return manifest.Root{}, err
		}
	}
	return b.Finish(ctx)
}

func (s *Session) table(ctx context.Context, root manifest.Root, spans []finished) (manifest.Table, error) {
	b := manifest.NewTableBuilder(root, s.repo.addNode)
	for _, f := range spans {
		if err := b.AddRef(f.table); err != nil {
			return manifest.Table{}, err
		}
	}
	return b.Finish(ctx)
}
