package bulk

import (
	"crypto/tls"
	"errors"
	"io"
)

var errLonger = errors.New("body is longer than was said")

// conn is a TLS connection. To net/http it is none, so that it is asked to read bodies.
type conn struct{ *tls.Conn }

// ReadFrom implements io.ReaderFrom. net/http gives a body to the connection by it, limited to the length that was said, once
// the header is out. A body that can write itself is asked to: what lies in memory is then encrypted from where it lies,
// where net/http would carry it through 32 KiB at a time.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if body, ok := l.R.(io.WriterTo); ok {
			to := &limited{c.Conn, l.N}
			n, err := body.WriteTo(to)
			l.N = to.left
			return n, err
		}
	}
	return io.Copy(c.Conn, r)
}

// limited takes no more than left bytes.
type limited struct {
	w    io.Writer
	left int64
}

// Write implements io.Writer.
func (l *limited) Write(b []byte) (int, error) {
	fit := b[:min(int64(len(b)), l.left)]
	n, err := l.w.Write(fit)
	l.left -= int64(n)
	if err == nil && n < len(b) {
		err = errLonger
	}
	return n, err
}
