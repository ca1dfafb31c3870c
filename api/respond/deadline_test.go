package respond

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are made in the process, so that their deadlines keep the bubble's time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serve runs a server of one handler and returns a connection to it.
func serve(t *testing.T, h http.HandlerFunc) net.Conn {
	t.Helper()
	l := &pipes{make(chan net.Conn), make(chan struct{})}
	srv := &http.Server{Handler: h}
	ended := make(chan error)
	go func() { ended <- srv.Serve(l) }()
	here, there := net.Pipe()
	l.conns <- there
	t.Cleanup(func() {
		here.Close()
		srv.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return here
}

// A body that stops moving is given up after a minute, one that moves slowly is read to its end.
func TestSlowBodies(t *testing.T) {
	for name, test := range map[string]struct {
		parts int
		pause time.Duration
		want  error
	}{
		"slow":    {10, 50 * time.Second, nil},
		"stopped": {3, time.Hour, os.ErrDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, began := make(chan error, 1), time.Now()
				var wg sync.WaitGroup
				t.Cleanup(wg.Wait) // after the connection's end
				c := serve(t, func(w http.ResponseWriter, r *http.Request) {
					_, err := io.ReadAll(Body(w, r, 1<<20))
					got <- err
				})
				wg.Go(func() { // ends with the connection
					if _, err := io.WriteString(c, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"); err != nil {
						return
					}
					for range test.parts {
						select {
						case <-time.After(test.pause):
						case <-t.Context().Done():
						}
						if _, err := io.WriteString(c, "x"); err != nil {
							return
						}
					}
				})
				wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
				err := <-got
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if took := time.Since(began); test.want != nil && took != patience {
					t.Errorf("given up after %v, want %v", took, patience)
				}
			})
		})
	}
}
