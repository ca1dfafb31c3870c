package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gate is a relay to a node that closes once so many bytes have gone through in one direction:
// nothing more passes, and the connections stay open until they are cut.
type gate struct {
	listener net.Listener
	target   string
	shut     chan struct{} // closed when the gate has closed
	done     chan struct{} // closed at the test's end
	slow     atomic.Int64  // nanoseconds that every piece of at most 32 KiB waits

	mu       sync.Mutex
	up, down int64 // bytes that may still pass to the node and from it
	conns    []net.Conn
}

// shutAfter puts a gate before a node and returns its URL; a bound below 0 is none.
func shutAfter(t *testing.T, url string, up, down int64) (*gate, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: l, target: strings.TrimPrefix(url, "https://"), shut: make(chan struct{}), done: make(chan struct{}), up: up, down: down}
	var work sync.WaitGroup
	work.Go(func() { g.accept(&work) })
	t.Cleanup(func() {
		close(g.done)
		l.Close()
		g.cut()
		work.Wait()
	})
	return g, "https://" + l.Addr().String()
}

// cut ends every connection.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.Close()
	}
}

func (g *gate) accept(work *sync.WaitGroup) {
	for {
		in, err := g.listener.Accept()
		if err != nil {
			return // the test has ended
		}
		out, err := net.Dial("tcp", g.target)
		if err != nil {
			in.Close()
			continue
		}
		g.mu.Lock()
		g.conns = append(g.conns, in, out)
		g.mu.Unlock()
		work.Go(func() { g.relay(out, in, &g.up) })
		work.Go(func() { g.relay(in, out, &g.down) })
	}
}

// relay copies until its budget is spent, then holds.
func (g *gate) relay(to, from net.Conn, budget *int64) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !g.spend(budget, int64(n)) {
			<-g.done
			return
		}
		if d := time.Duration(g.slow.Load()); d > 0 {
			select {
			case <-time.After(d):
			case <-g.done:
				return
			}
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			if err == io.EOF {
				_ = to.(*net.TCPConn).CloseWrite() // it may be gone
				return
			}
			to.Close()
			from.Close()
			return
		}
	}
}

func (g *gate) spend(budget *int64, n int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if *budget < 0 {
		return true
	}
	if *budget < n {
		*budget = 0
		select {
		case <-g.shut:
		default:
			close(g.shut)
		}
		return false
	}
	*budget -= n
	return true
}
