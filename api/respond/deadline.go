package respond

import (
	"io"
	"net/http"
	"time"
)

// patience is how long the other side may take for a part of a long body: who is slower holds memory
// that others wait for.
const patience = time.Minute

// Body returns a request's body that must move: each read has a minute. limit bounds it, in bytes.
func Body(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
	return &moving{r: http.MaxBytesReader(w, r.Body, limit), c: http.NewResponseController(w)}
}

type moving struct {
	r io.Reader
	c *http.ResponseController
}

// Read implements io.Reader.
func (m *moving) Read(b []byte) (int, error) {
	// A server that cannot set deadlines is one without a connection, as in a test. The deadline is
	// taken back at once: the server goes on listening for the end of the connection, and a deadline
	// that passes there ends the request.
	_ = m.c.SetReadDeadline(time.Now().Add(patience))
	n, err := m.r.Read(b)
	_ = m.c.SetReadDeadline(time.Time{})
	return n, err
}

// Stream returns a writer of an answer that must move: each write has a minute.
func Stream(w http.ResponseWriter) io.Writer {
	return &flowing{w: w, c: http.NewResponseController(w)}
}

type flowing struct {
	w io.Writer
	c *http.ResponseController
}

// Write implements io.Writer.
func (f *flowing) Write(b []byte) (int, error) {
	// As above; the next answer on this connection would meet the deadline, too.
	_ = f.c.SetWriteDeadline(time.Now().Add(patience))
	n, err := f.w.Write(b)
	_ = f.c.SetWriteDeadline(time.Time{})
	return n, err
}
