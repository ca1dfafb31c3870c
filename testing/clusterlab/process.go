package clusterlab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

	"loggia/testing/measure"
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
	return measure.PeakRSS(p.PID())
}

// MaxRSS is the most memory that an ended command has had, in bytes.
func MaxRSS(cmd *exec.Cmd) int64 {
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
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
	pool, err := certificates(c.CACert())
	if err != nil {
		pool = x509.NewCertPool() // before the first node is up there is no CA, and nobody to call
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: c.transport(region, pool)}
}

// transport calls from inside a region.
func (c *Cluster) transport(region string, trusted *x509.CertPool) *http.Transport {
	dial := (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	if c.Lab != nil {
		dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			return c.Lab.Dial(ctx, region, network, addr)
		}
	}
	return &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: trusted}}
}

// certificates reads a PEM file of authorities.
func certificates(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
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
