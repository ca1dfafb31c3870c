package s3

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// upload is the body of one PUT. net/http may go on reading a body after the request was given
// up; release ends that, so that the caller may use its buffer again.
type upload struct {
	watch *watch

	mu   sync.Mutex
	rest []byte
	gone bool
}

var errReleased = errors.New("upload was given up")

func (u *upload) Read(p []byte) (int, error) {
	u.watch.moved()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone {
		return 0, errReleased
	}
	if len(u.rest) == 0 {
		u.watch.pause() // from here the timeout of the answer counts
		return 0, io.EOF
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
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
