package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// upload is the body of one PUT. net/http may go on reading a body after the request was given
// up; release ends that, so that the caller may use its buffer again. It waits for a write that is under way, which ends with its
// connection at the latest: the request is cancelled before.
type upload struct {
	watch *watch

	mu   sync.Mutex
	rest []byte
	gone bool
}

// passed is how much of a body goes to the connection at once, in bytes: within the stall timeout that much must move.
const passed = 128 << 10

var errReleased = errors.New("upload was given up")

func (u *upload) Read(p []byte) (int, error) {
	return u.pass(len(p), func(b []byte) (int, error) { return copy(p, b), nil })
}

// WriteTo implements io.WriterTo: connections of package bulk take the body as it lies.
func (u *upload) WriteTo(w io.Writer) (n int64, err error) {
	for {
		m, err := u.pass(passed, w.Write)
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Close implements io.Closer: see release.
func (u *upload) Close() error { return nil }

// pass gives at most n of the bytes that are left to a function; io.EOF: there are none.
func (u *upload) pass(n int, to func([]byte) (int, error)) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone {
		return 0, errReleased
	}
	u.watch.moved()
	if len(u.rest) == 0 {
		u.watch.pause() // from here the timeout of the answer counts
		return 0, io.EOF
	}
	n, err := to(u.rest[:min(n, len(u.rest))])
	u.rest = u.rest[n:]
	return n, err
}

type uploadKey struct{}

// bare gives a request the upload of its context for a body, if that is what the body is: minio-go hands bodies on in
// readers of its own. To net/http a body of no bytes would be one of unknown length.
func bare(req *http.Request) *http.Request {
	u, ok := req.Context().Value(uploadKey{}).(*upload)
	if !ok || req.Method != http.MethodPut || req.ContentLength == 0 || req.ContentLength != int64(u.left()) {
		return req
	}
	own := *req
	own.Body = u
	return &own
}

func (u *upload) left() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.rest)
}

func (u *upload) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rest, u.gone = nil, true
}

// watch cancels a context with errStalled when nothing moves for a while.
type watch struct {
	timer *time.Timer
	limit time.Duration
	stop  context.CancelCauseFunc
}

// newWatch returns a context that ends with parent, or when the watch is neither moved nor paused
// for limit. stop must be called in the end.
func newWatch(parent context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watch{limit: limit, stop: cancel}
	w.timer = time.AfterFunc(limit, func() { cancel(errStalled) })
	w.timer.Stop()
	return ctx, w
}

func (w *watch) moved() { w.timer.Reset(w.limit) }
func (w *watch) pause() { w.timer.Stop() }

func (w *watch) end() {
	w.timer.Stop()
	w.stop(nil)
}

// download is the body of one GET.
type download struct {
	parent, ctx context.Context // the caller's, and the watch's below it
	watch       *watch
	key         string
	body        io.ReadCloser
}

func (d *download) Read(p []byte) (int, error) {
	d.watch.moved()
	n, err := d.body.Read(p)
	d.watch.pause() // the caller may take its time
	if err == nil || err == io.EOF {
		return n, err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && d.ctx.Err() == nil {
		return n, io.EOF // before its time: blobstore.Exactly calls it damaged
	}
	return n, wrap(d.parent, "get", d.key, stalled(d.ctx, err))
}

func (d *download) Close() error {
	d.watch.end()
	_ = d.body.Close() // nothing of an answer can be lost by closing it
	return nil
}

// stalled puts the watch's finding in the place of the cancellation that it caused.
func stalled(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}
