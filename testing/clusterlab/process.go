package clusterlab

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a running daemon.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // of the wait; valid after done
}

func (c *Cluster) spawn(cmd *exec.Cmd, log string) (*Process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = f
	}
	cmd.Stderr = f
	if err := c.spawner.start(cmd); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() { // ends with the process
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the daemon's process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

func (p *Process) alive() error {
	select {
	case <-p.done:
		tail, _ := os.ReadFile(p.log)
		return fmt.Errorf("the daemon ended: %w\n%s", errors.Join(p.err, errors.New("unexpectedly")), tail[max(0, len(tail)-4000):])
	default:
		return nil
	}
}

// Kill sends SIGKILL and waits.
func (p *Process) Kill() error { return p.signal(syscall.SIGKILL) }

// Stop sends SIGTERM and waits.
func (p *Process) Stop() error { return p.signal(syscall.SIGTERM) }

func (p *Process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// PeakRSS is the most memory that the process has had, in bytes.
func (p *Process) PeakRSS() (int64, error) {
	select {
	case <-p.done:
		return MaxRSS(p.cmd), nil
	default:
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	var kib int64
	for line := range bytesLines(b) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, errors.New("no VmHWM")
}

// MaxRSS is the most memory that an ended command has had, in bytes.
func MaxRSS(cmd *exec.Cmd) int64 {
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}

func bytesLines(b []byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		start := 0
		for i, c := range b {
			if c == '\n' {
				if !yield(string(b[start:i])) {
					return
				}
				start = i + 1
			}
		}
	}
}

// Start starts a region's daemon; it does not wait.
func (c *Cluster) Start(ctx context.Context, region string) error {
	p, err := c.spawn(c.command(ctx, region, c.o.Loggia, "server", "--config", filepath.Join(c.dir(region), "loggia.yaml")), filepath.Join(c.dir(region), "log"))
	if err != nil {
		return fmt.Errorf("start region %s: %w", region, err)
	}
	c.nodes[region] = p
	return nil
}

// Node is a region's daemon, the one that was started last.
func (c *Cluster) Node(region string) *Process { return c.nodes[region] }

// Log is the file that a region's daemon writes to.
func (c *Cluster) Log(region string) string { return filepath.Join(c.dir(region), "log") }

// HTTP returns a client that calls from inside a region.
func (c *Cluster) HTTP(region string) *http.Client {
	pool := x509.NewCertPool()
	if pem, err := os.ReadFile(c.CACert()); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	dial := (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	if c.Lab != nil {
		dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			return c.Lab.Dial(ctx, region, network, addr)
		}
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

func (c *Cluster) ready(ctx context.Context, region string) bool {
	client := c.HTTP(region)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Address(region)+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// bucket is a region's S3 server, a process beside its daemon.
type bucket struct {
	Endpoint, Bucket, AccessKey, SecretKey, CAFile string
	process                                        *Process
}

// startS3 starts a server in the region's network, through a helper command that prints where it is.
func (c *Cluster) startS3(ctx context.Context, region string) (*bucket, error) {
	dir := filepath.Join(c.dir(region), "s3")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	args := append(append([]string(nil), c.o.S3Helper[1:]...), c.o.S3, dir, fmt.Sprintf("%s:%d", c.host(region), c.port(region, 9443)))
	cmd := c.command(ctx, region, c.o.S3Helper[0], args...)
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout = in
	p, err := c.spawn(cmd, filepath.Join(dir, "helper.log"))
	in.Close()
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	b := &bucket{process: p}
	if err == nil {
		err = json.Unmarshal(line, b)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start S3 server of %s (see %s): %w", region, p.log, err), p.Kill())
	}
	return b, nil
}
