package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"loggia/api/v1"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/wire"
)

// OpenUpload begins an upload of one disk at the node in use, or returns the one begun under that id.
func (c *Client) OpenUpload(ctx context.Context, r v1.UploadRequest) (v1.Upload, error) {
	var out v1.Upload
	return out, c.do(ctx, call{method: post, path: "/v1/uploads", in: r, out: &out})
}

// Upload returns how an upload stands.
func (c *Client) Upload(ctx context.Context, id string) (v1.Upload, error) {
	return fetch[v1.Upload](ctx, c, escape("v1", "uploads", id), nil)
}

// ResumeUpload makes the node in use take the upload over, wherever it was before.
func (c *Client) ResumeUpload(ctx context.Context, r v1.UploadRequest) (v1.Upload, error) {
	var out v1.Upload
	return out, c.do(ctx, call{method: post, path: escape("v1", "uploads", r.ID, "open"), in: r, out: &out, pin: true})
}

// CommitUpload ends an upload; the answer names its disk. Asked twice it answers twice.
func (c *Client) CommitUpload(ctx context.Context, id string, u v1.UploadCommit) (v1.Upload, error) {
	var out v1.Upload
	return out, c.do(ctx, call{method: post, path: escape("v1", "uploads", id, "commit"), in: u, out: &out, pin: true})
}

// AbandonUpload gives an upload up.
func (c *Client) AbandonUpload(ctx context.Context, id string) error {
	return c.do(ctx, call{method: remove, path: escape("v1", "uploads", id)})
}

// Remote is an open upload at the node in use, as package publish wants it.
type Remote struct {
	c  *Client
	id string
}

// Remote returns the upload's far end. It stays with the node in use: where that fails, so does the call.
func (c *Client) Remote(id string) *Remote { return &Remote{c, id} }

// Known calls fn for every chunk that need not be sent.
func (r *Remote) Known(ctx context.Context, fn func(chunk.ID) error) error {
	return r.records(ctx, "known", func(rec wire.Record) error {
		for _, id := range rec.IDs {
			if err := fn(id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Spans calls fn for every span that is finished.
func (r *Remote) Spans(ctx context.Context, fn func(manifest.SpanRef) error) error {
	return r.records(ctx, "spans", func(rec wire.Record) error {
		for _, s := range rec.Spans {
			if err := fn(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// Send sends one batch of frames and leaves.
func (r *Remote) Send(ctx context.Context, worker int, batch []byte) error {
	q := url.Values{"worker": {strconv.Itoa(worker)}}
	return r.c.do(ctx, call{method: post, path: escape("v1", "uploads", r.id, "batches"), query: q, body: batch, pin: true})
}

func (r *Remote) records(ctx context.Context, what string, fn func(wire.Record) error) error {
	resp, err := r.c.open(ctx, call{method: get, path: escape("v1", "uploads", r.id, what), pin: true})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	in := wire.NewReader(resp.Body, make([]byte, wire.MinBuffer))
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = fn(rec)
		}
		if err != nil {
			return fmt.Errorf("%s of upload: %w", what, err)
		}
	}
}
