package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"loggia/blobstore"
)

// Get implements blobstore.Store by one GET; only ranges that HTTP cannot say ask with HEAD first.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := begin(ctx, "get", key); err != nil {
		return nil, err
	}
	if off < 0 || n > 0 && off+n < off {
		return nil, fmt.Errorf("s3 get %s: %w: %d bytes at %d", key, blobstore.ErrRange, n, off)
	}
	if n == 0 {
		return s.nothing(ctx, key, off)
	}
	r, err := s.get(ctx, key, off, n)
	if n < 0 && off > 0 && errors.Is(err, blobstore.ErrRange) {
		return s.nothing(ctx, key, off) // from the very end on there are no bytes, which is no error
	}
	return r, err
}

// nothing is a body of no bytes at off, where that is inside the object.
func (s *Store) nothing(ctx context.Context, key string, off int64) (io.ReadCloser, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if off > info.Size {
		return nil, fmt.Errorf("s3 get %s: %w: offset %d of %d", key, blobstore.ErrRange, off, info.Size)
	}
	return io.NopCloser(bytes.NewReader(nil)), nil
}

func (s *Store) get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	var o minio.GetObjectOptions
	ranged := off > 0 || n > 0
	if ranged {
		last := ""
		if n > 0 {
			last = strconv.FormatInt(off+n-1, 10)
		}
		o.Set("Range", fmt.Sprintf("bytes=%d-%s", off, last))
	}
	wctx, watch := newWatch(ctx, s.o.StallTimeout)
	body, _, header, err := s.core.GetObject(wctx, s.o.Bucket, s.prefix+key, o)
	if err != nil {
		watch.end()
		return nil, wrap(ctx, "get", key, stalled(wctx, err))
	}
	d := &download{parent: ctx, ctx: wctx, watch: watch, key: key, body: body}
	length, err := answered(header, ranged, off, n)
	if err != nil {
		_ = d.Close() // the answer is of no use
		return nil, wrap(ctx, "get", key, err)
	}
	return blobstore.Exactly(d, length), nil
}

// answered checks that an answer gives the range asked for, and returns its length.
func answered(h http.Header, ranged bool, off, n int64) (int64, error) {
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return 0, fmt.Errorf("%w: answer without a length", blobstore.ErrDamaged)
	}
	if !ranged {
		return length, nil
	}
	text := h.Get("Content-Range")
	if text == "" { // the whole object: right only where that was asked for
		switch {
		case off == 0 && (n < 0 || n == length):
			return length, nil
		case off > length || n > length-off:
			return 0, fmt.Errorf("%w: %d bytes at %d of %d", blobstore.ErrRange, n, off, length)
		}
		return 0, fmt.Errorf("%w: the service ignores ranges", blobstore.ErrDamaged)
	}
	first, last, total, err := parseContentRange(text)
	if err != nil {
		return 0, err
	}
	if _, err := blobstore.CheckRange(off, n, total); err != nil {
		return 0, err
	}
	want := n
	if n < 0 {
		want = total - off
	}
	if first != off || last-first+1 != want || length != want {
		return 0, fmt.Errorf("%w: asked for %d bytes at %d, answered %q with %d", blobstore.ErrDamaged, n, off, text, length)
	}
	return want, nil
}

// parseContentRange reads "bytes first-last/total" (RFC 9110, 14.4).
func parseContentRange(text string) (first, last, total int64, err error) {
	bad := fmt.Errorf("%w: content range %q", blobstore.ErrDamaged, text)
	rest, ok := strings.CutPrefix(text, "bytes ")
	span, size, ok2 := strings.Cut(rest, "/")
	a, b, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, 0, bad
	}
	for _, part := range []struct {
		text string
		to   *int64
	}{{a, &first}, {b, &last}, {size, &total}} {
		v, err := strconv.ParseUint(part.text, 10, 63)
		if err != nil {
			return 0, 0, 0, bad
		}
		*part.to = int64(v)
	}
	if first > last || last >= total {
		return 0, 0, 0, bad
	}
	return first, last, total, nil
}
