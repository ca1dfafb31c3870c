package s3servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Process is a running server. Its credentials are for tests: everybody may know them.
type Process struct {
	Kind      Kind
	Endpoint  string // https://ip:port
	AccessKey string
	SecretKey string
	Region    string
	CAFile    string // PEM of the CA that signed its certificate
	LogFile   string // what it printed

	data   string // where it keeps its buckets
	pid    int
	exited chan struct{} // closed when it has been waited for
	err    error         // of the wait; valid after exited
}

// startPatience bounds the start of a server on a loaded machine.
const startPatience = time.Minute

// StartProcess starts a server that keeps everything under dir and listens on addr (ip:port;
// port 0 picks a free one), and returns when it answers. It is killed by Stop, when ctx ends, and
// when this process dies. Install says on standard error what it builds.
func StartProcess(ctx context.Context, kind Kind, dir, addr string) (*Process, error) {
	bin, err := Install(ctx, kind, os.Stderr)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		p, err := start(ctx, kind, bin, dir, addr)
		// A free port may be taken by somebody else before the server has it.
		if err == nil || attempt == 2 || ctx.Err() != nil {
			return p, err
		}
	}
}

func start(ctx context.Context, kind Kind, bin, dir, addr string) (*Process, error) {
	addr, err := pickPort(addr)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	c, err := makeCerts(filepath.Join(dir, "certs"), host)
	if err != nil {
		return nil, err
	}
	p := &Process{
		Kind: kind, Endpoint: "https://" + addr, AccessKey: "loggia-test", SecretKey: "loggia-test-secret", Region: "us-east-1",
		CAFile: c.ca, LogFile: filepath.Join(dir, "log"), data: filepath.Join(dir, "data"), exited: make(chan struct{}),
	}
	if err := os.MkdirAll(p.data, 0o755); err != nil {
		return nil, err
	}
	if err := p.run(ctx, p.command(bin, addr, dir, c)); err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w\n%s", kind, err, p.Log()), p.Stop())
	}
	return p, nil
}

func (p *Process) command(bin, addr, dir string, c certs) *exec.Cmd {
	var cmd *exec.Cmd
	switch p.Kind {
	case VersityGW:
		cmd = exec.Command(bin, "--access", p.AccessKey, "--secret", p.SecretKey, "--region", p.Region,
			"--port", addr, "--cert", c.cert, "--key", c.key, "--health", "/health", "--quiet", "posix", p.data)
		cmd.Env = os.Environ()
	case MinIO:
		cmd = exec.Command(bin, "server", "--address", addr, "--console-address", "127.0.0.1:0", "--certs-dir", c.dir, p.data)
		cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+p.AccessKey, "MINIO_ROOT_PASSWORD="+p.SecretKey,
			"MINIO_REGION="+p.Region, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "CI=1", "HOME="+dir)
	}
	return cmd
}

// run starts cmd and a goroutine that waits for it.
func (p *Process) run(ctx context.Context, cmd *exec.Cmd) error {
	log, err := os.Create(p.LogFile)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread that forked ends, not the process (go.dev/issue/27505):
		// that thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		_ = log.Close() // the child wrote it, not we
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, p.kill)
	go func() {
		<-p.exited
		stop()
	}()
	return nil
}

func (p *Process) kill() {
	select {
	case <-p.exited: // its pid may be somebody else's by now
	default:
		_ = syscall.Kill(p.pid, syscall.SIGKILL) // already gone is as good
	}
}

// PID is the server's process id.
func (p *Process) PID() int { return p.pid }

// Stop kills the server and waits for its end. It may be called again.
func (p *Process) Stop() error {
	p.kill()
	<-p.exited
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		return p.err
	}
	return nil // killed is what we asked for
}

// Exited is closed when the server has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Log returns the end of what the server printed.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.LogFile)
	if err != nil {
		return err.Error()
	}
	return string(tail(b, 8000))
}

// ready waits until the server answers.
func (p *Process) ready(ctx context.Context) error {
	client, err := p.Client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	path := map[Kind]string{VersityGW: "/health", MinIO: "/minio/health/ready"}[p.Kind]
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		last := answers(ctx, client, p.Endpoint+path)
		if last == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("it ended: %w", p.err)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), last)
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// Client returns an HTTP client that trusts the server's CA.
func (p *Process) Client() (*http.Client, error) {
	pem, err := os.ReadFile(p.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", p.CAFile)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: startPatience}, nil
}

// pickPort replaces port 0 by one that is free now.
func pickPort(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w", addr, err)
	}
	addr = l.Addr().String()
	return addr, l.Close()
}
