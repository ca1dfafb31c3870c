package pull

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// idsInMemory bounds each set of ids before it goes to a file.
const idsInMemory = 256 << 10

// span is a leaf on its way through the pipeline.
type span struct {
	number int64
	leaf   *manifest.Leaf
}

// pipeline reads leaves, looks locally for their chunks, and fetches the rest. When a part fails,
// cancel ends the stream that the leaves come from.
func (p *puller) pipeline(ctx context.Context, cancel func(), nodes manifest.Getter) error {
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, cancel)()
	spans := make(chan span, p.o.Workers)
	missing, jobs := make(chan *job), make(chan *job)
	g.Go(func() error {
		defer close(spans)
		return refuse(p.readLeaves(ctx, nodes, spans))
	})
	local, lctx := errgroup.WithContext(ctx)
	for range p.o.Workers {
		local.Go(func() error { return p.lookLocally(lctx, spans, missing) })
	}
	g.Go(func() error {
		defer close(missing)
		return local.Wait()
	})
	g.Go(func() error {
		defer close(jobs)
		return gather(ctx, missing, jobs)
	})
	for range p.o.InFlight {
		g.Go(func() error { return p.fetchJobs(ctx, jobs) })
	}
	return g.Wait()
}

// readLeaves passes the leaves on and makes the spans between them holes.
func (p *puller) readLeaves(ctx context.Context, nodes manifest.Getter, spans chan<- span) error {
	size, next := p.root.Shape().Span, int64(0)
	err := manifest.Walk(ctx, nodes, p.root, func(n int64, leaf *manifest.Leaf) error {
		if err := p.out.hole(next, n*size-next); err != nil {
			return err
		}
		next = min((n+1)*size, p.root.Length)
		if err := p.add(span{n, leaf}); err != nil {
			return err
		}
		select {
		case spans <- span{n, leaf}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return err
	}
	if s, ok := nodes.(streamed); ok {
		if err := s.end(); err != nil {
			return err
		}
	}
	return p.out.hole(next, p.root.Length-next)
}

// streamed turns the order of manifest.Nodes back into a Getter: the tree is walked in the very
// order in which it is sent, and the walk checks each node's digest.
type streamed struct {
	NodeReader
	tell manifest.PutFunc // may be nil
}

func (p *puller) streamed(r NodeReader) streamed { return streamed{r, p.o.Nodes} }

// Node implements manifest.Getter for a walk.
func (s streamed) Node(ctx context.Context, id chunk.ID) ([]byte, error) {
	b, err := s.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: the manifest ends early", ErrVerification)
	case err == nil && s.tell != nil && digest.Of(b) == id: // what is another node ends the walk
		err = s.tell(ctx, id, b)
	}
	return b, err
}

// end says whether nodes follow that the manifest has no place for. How the stream ends is of no
// matter once everything has come.
func (s streamed) end() error {
	if _, err := s.Next(); err == nil {
		return fmt.Errorf("%w: nodes behind the end of the manifest", ErrVerification)
	}
	return nil
}
