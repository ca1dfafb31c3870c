package ranged

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Get opens the n bytes from offset off of what path, with its query, leads to. The reader gives exactly these bytes, or fails
// with ErrAnswer; whether they are the right ones the caller checks. The caller closes it.
// Errors: ErrOrigin for a path that is none, ErrRefused, ErrAnswer, those of the connection, or of ctx.
func (c *Client) Get(ctx context.Context, path string, off, n int64) (io.ReadCloser, error) {
	if off < 0 || n < 1 || off+n < off {
		return nil, fmt.Errorf("%w: %d bytes at %d", ErrAnswer, n, off)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := c.request(ctx, path, off, n)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		cancel(nil)
		return nil, nameless(err)
	}
	b := &body{r: resp.Body, left: n, stall: c.stall, cancel: cancel}
	if err := answered(resp, off, n); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.timer = time.AfterFunc(c.stall, func() { cancel(errStalled) })
	b.timer.Stop()
	b.ctx = ctx
	return b, nil
}

// nameless takes the link out of an error.
func nameless(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("follow link: %w", u.Err)
	}
	return err
}

// answered checks the head of an answer.
func answered(resp *http.Response, off, n int64) error {
	if resp.StatusCode != http.StatusPartialContent {
		return fmt.Errorf("%w: status %d", ErrRefused, resp.StatusCode)
	}
	want := fmt.Sprintf("bytes %d-%d/", off, off+n-1)
	total, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), want)
	if size, err := strconv.ParseInt(total, 10, 64); !ok || total != "*" && (err != nil || size < off+n) {
		return fmt.Errorf("%w: content range is not %q", ErrAnswer, want)
	}
	if resp.ContentLength != n {
		return fmt.Errorf("%w: %d bytes, want %d", ErrAnswer, resp.ContentLength, n)
	}
	return nil
}

// errStalled ends a body of which no byte comes.
var errStalled = errors.New("no byte moved for too long")

// body counts what is due and watches that it comes. It is for one goroutine.
type body struct {
	r      io.ReadCloser
	left   int64
	stall  time.Duration
	timer  *time.Timer // nil until the head was good
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Read implements io.Reader. The time that the caller takes between two calls does not count.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	b.timer.Reset(b.stall)
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.timer.Stop()
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, nil
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return n, fmt.Errorf("%w: %d bytes too few", ErrAnswer, b.left)
	case err != nil && errors.Is(context.Cause(b.ctx), errStalled):
		return n, errStalled
	}
	return n, err
}

// Close ends the answer. One that was read to its end leaves the connection for the next.
func (b *body) Close() error {
	if b.timer != nil {
		b.timer.Stop()
	}
	if b.left == 0 {
		_, _ = b.r.Read(make([]byte, 1)) // its end, so that the connection is free
	}
	err := b.r.Close()
	b.cancel(nil)
	return err
}
