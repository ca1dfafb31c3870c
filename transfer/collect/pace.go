package collect

import (
	"context"
	"errors"
	"io"

	"golang.org/x/time/rate"

	"loggia/blobstore"
)

// Rates bound what a collector asks of a store; 0 is no bound.
type Rates struct {
	Requests int   // per second
	Bytes    int64 // per second, read and written
	// Weight is what each request and byte counts for at the moment, at least 1, so that more urgent work of others can slow this down; nil: 1.
	Weight func() int64
}

// listPage is how many objects of a listing count as one request: what S3 gives at once.
const listPage = 1000

// byteBurst is what may pass at once, in bytes, and the grain of waiting.
const byteBurst = 256 << 10

// pacedStore keeps its requests within rates.
type pacedStore struct {
	blobstore.Store
	requests, bytes *rate.Limiter
	weight          func() int64
}

// Pace returns a decorator of s that keeps within the rates. It waits before each request, and for the bytes that are sent or given.
func Pace(s blobstore.Store, r Rates) blobstore.Store {
	if r.Requests <= 0 && r.Bytes <= 0 {
		return s
	}
	p := &pacedStore{Store: s, requests: rate.NewLimiter(rate.Inf, 1), bytes: rate.NewLimiter(rate.Inf, 1), weight: r.Weight}
	if p.weight == nil {
		p.weight = func() int64 { return 1 }
	}
	if r.Requests > 0 {
		p.requests = rate.NewLimiter(rate.Limit(r.Requests), 1)
	}
	if r.Bytes > 0 {
		p.bytes = rate.NewLimiter(rate.Limit(r.Bytes), byteBurst)
	}
	return p
}

// Unwrap returns the store below.
func (p *pacedStore) Unwrap() blobstore.Store { return p.Store }

func (p *pacedStore) wait(ctx context.Context, bytes int64) error {
	if err := waitFor(ctx, p.requests, p.weight()); err != nil {
		return err
	}
	return waitFor(ctx, p.bytes, bytes*p.weight())
}

func waitFor(ctx context.Context, l *rate.Limiter, n int64) error {
	for n > 0 && l.Limit() != rate.Inf {
		part := min(n, int64(l.Burst()))
		if err := l.WaitN(ctx, int(part)); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return errors.Join(context.DeadlineExceeded, err)
		}
		n -= part
	}
	return ctx.Err()
}

// Put implements blobstore.Store.
func (p *pacedStore) Put(ctx context.Context, key string, data []byte) error {
	if err := p.wait(ctx, int64(len(data))); err != nil {
		return err
	}
	return p.Store.Put(ctx, key, data)
}

// Get implements blobstore.Store.
func (p *pacedStore) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := p.wait(ctx, 0); err != nil {
		return nil, err
	}
	body, err := p.Store.Get(ctx, key, off, n)
	if err != nil || p.bytes.Limit() == rate.Inf {
		return body, err
	}
	return &pacedBody{body, ctx, p}, nil
}

// pacedBody gives bytes no faster than their rate.
type pacedBody struct {
	io.ReadCloser
	ctx context.Context // of the Get
	p   *pacedStore
}

// Read implements io.Reader.
func (b *pacedBody) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	if werr := waitFor(b.ctx, b.p.bytes, int64(n)*b.p.weight()); werr != nil {
		return 0, werr
	}
	return n, err
}

// Copy implements blobstore.Copier. Its bytes stay inside the store and are not counted.
func (p *pacedStore) Copy(ctx context.Context, from, to string) error {
	if err := p.wait(ctx, 0); err != nil {
		return err
	}
	return blobstore.Copy(ctx, p.Store, from, to)
}

// Stat implements blobstore.Store.
func (p *pacedStore) Stat(ctx context.Context, key string) (blobstore.Info, error) {
	if err := p.wait(ctx, 0); err != nil {
		return blobstore.Info{}, err
	}
	return p.Store.Stat(ctx, key)
}

// List implements blobstore.Store.
func (p *pacedStore) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	if err := p.wait(ctx, 0); err != nil {
		return err
	}
	n := 0
	return p.Store.List(ctx, prefix, after, func(i blobstore.Info) error {
		if n++; n%listPage == 0 {
			if err := p.wait(ctx, 0); err != nil {
				return err
			}
		}
		return fn(i)
	})
}

// Delete implements blobstore.Store.
func (p *pacedStore) Delete(ctx context.Context, key string) error {
	if err := p.wait(ctx, 0); err != nil {
		return err
	}
	return p.Store.Delete(ctx, key)
}
