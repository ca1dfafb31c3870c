package pace

import (
	"context"
	"io"
)

// Writer writes at the pace of a flow.
type Writer struct {
	ctx  context.Context
	w    io.Writer
	flow *Flow
}

// NewWriter returns a writer to w. Its waits end with ctx.
func NewWriter(ctx context.Context, w io.Writer, f *Flow) *Writer { return &Writer{ctx, w, f} }

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (n int, err error) {
	for {
		part := b[n:]
		if most := w.flow.piece(); most > 0 && len(part) > most {
			part = part[:most]
		}
		if err := w.flow.Wait(w.ctx, len(part)); err != nil {
			return n, err
		}
		m, err := w.w.Write(part)
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// Reader reads at the pace of a flow: bytes are counted once they have come, and the next ones wait.
type Reader struct {
	ctx  context.Context
	r    io.Reader
	flow *Flow
}

// NewReader returns a reader of r. Its waits end with ctx.
func NewReader(ctx context.Context, r io.Reader, f *Flow) *Reader { return &Reader{ctx, r, f} }

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	if most := r.flow.piece(); most > 0 && len(b) > most {
		b = b[:most]
	}
	n, err := r.r.Read(b)
	if n > 0 {
		if wait := r.flow.Wait(r.ctx, n); wait != nil {
			return n, wait
		}
	}
	return n, err
}
