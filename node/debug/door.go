package debug

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"strings"
	"time"
)

// The rates at which waiting is sampled while the door is open: too rare to be felt.
const (
	blockRate     = 10_000 // nanoseconds waited per sample
	mutexFraction = 100    // one of so many contended locks
)

// Check says whether an address may be opened: "unix:" and the absolute path of a socket, or host:port on loopback.
func Check(address string) error {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q: the socket must have an absolute path", address)
		}
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%q: must be unix:/PATH, or IP:PORT on loopback", address)
	}
	return nil
}

// Door serves the profiles of Go's pprof below /debug/pprof/.
type Door struct {
	server *http.Server
	done   chan struct{}
	err    error // of serving; valid after done
}

// Open listens at an address that passes Check. A socket is the owner's alone (mode 0600); one that an earlier process left is replaced.
func Open(ctx context.Context, address string) (*Door, error) {
	if err := Check(address); err != nil {
		return nil, err
	}
	l, err := listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("debug door: %w", err)
	}
	runtime.SetBlockProfileRate(blockRate)
	runtime.SetMutexProfileFraction(mutexFraction)
	d := &Door{done: make(chan struct{}), server: &http.Server{Handler: routes(), ReadHeaderTimeout: 10 * time.Second}}
	go func() { // ends with Close
		defer close(d.done)
		if err := d.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.err = err
		}
	}()
	return d, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var c net.ListenConfig
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return c.Listen(ctx, "tcp", address)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := c.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// Close ends the door and every profile under way, and waits for it.
func (d *Door) Close() error {
	runtime.SetBlockProfileRate(0)
	runtime.SetMutexProfileFraction(0)
	err := d.server.Close()
	<-d.done
	return errors.Join(err, d.err)
}
