package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for anything that must come.
const patience = 60 * time.Second

// eventually waits until ok returns nil and fails with its last error when that takes too long.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	within(t, patience, what, ok)
}

func within(t *testing.T, limit time.Duration, what string, ok func() error) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-look.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}

// environment is the test's own without anything of Loggia's, and with state in a directory.
func environment(state string, more ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LOGGIA_") && !strings.HasPrefix(v, "XDG_STATE_HOME=") && !strings.HasPrefix(v, "XDG_CONFIG_HOME=") {
			env = append(env, v)
		}
	}
	return append(append(env, "XDG_STATE_HOME="+state, "XDG_CACHE_HOME="+state, "XDG_CONFIG_HOME="+state, "GORACE=exitcode=66 atexit_sleep_ms=0"), more...)
}

// daemon is a process that runs until it is stopped.
type daemon struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // valid after done
}

// start runs the program; it is killed at the test's end if it still runs.
func start(t *testing.T, log string, args ...string) *daemon {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := &daemon{cmd: exec.Command(loggia, args...), log: log, done: make(chan struct{})}
	d.cmd.Env = environment(filepath.Dir(log))
	d.cmd.Stdout, d.cmd.Stderr = f, f
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	t.Cleanup(func() {
		if d.running() {
			d.stop(t)
		}
		d.sound(t)
	})
	return d
}

func (d *daemon) running() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

// sound fails the test where the daemon's log tells of a data race or a panic.
func (d *daemon) sound(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(d.log)
	if err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if i := bytes.Index(b, []byte(bad)); i >= 0 {
			t.Errorf("%s in the daemon's log:\n%s", bad, b[i:min(len(b), i+6000)])
			return
		}
	}
	if t.Failed() {
		t.Logf("end of %s:\n%s", d.log, b[max(0, len(b)-6000):])
	}
}

// kill sends SIGKILL and waits.
func (d *daemon) kill(t *testing.T) {
	t.Helper()
	d.signal(t, syscall.SIGKILL)
	<-d.done
}

// stop sends SIGTERM and expects a clean end.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	d.signal(t, syscall.SIGTERM)
	select {
	case <-d.done:
		if d.err != nil {
			t.Errorf("the daemon did not end well: %v", d.err)
		}
	case <-time.After(patience):
		t.Errorf("the daemon did not end within %v of SIGTERM", patience)
		d.kill(t)
	}
}

func (d *daemon) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// ended waits for a daemon that must end by itself and returns its exit code and what it wrote.
func (d *daemon) ended(t *testing.T) (int, string) {
	t.Helper()
	select {
	case <-d.done:
	case <-time.After(patience):
		t.Fatalf("the daemon still runs after %v", patience)
	}
	b, err := os.ReadFile(d.log)
	if err != nil {
		t.Fatal(err)
	}
	return d.cmd.ProcessState.ExitCode(), string(b)
}

// user is somebody with a shell: an environment, and commands that run in it.
type user struct {
	env []string
}

// with returns the same user with other settings.
func (u user) with(env ...string) user { return user{append(append([]string(nil), u.env...), env...)} }

// value is that of a setting; the last one counts.
func (u user) value(name string) (value string) {
	for _, e := range u.env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// result is what a command left.
type result struct {
	t    *testing.T
	args []string
	code int
	out  string
	err  string
}

// command makes a command that has not begun.
func (u user) command(args ...string) *exec.Cmd {
	cmd := exec.Command(loggia, args...)
	cmd.Env = u.env
	return cmd
}

// run runs the program to its end, which must come in bounded time.
func (u user) run(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, loggia, args...)
	cmd.Env = u.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("loggia %s: %v", strings.Join(args, " "), err)
	}
	r := result{t, args, cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	if strings.Contains(r.err, "DATA RACE") || strings.Contains(r.err, "panic:") {
		t.Errorf("%s: %s", r.name(), r.err)
	}
	return r
}

func (r result) name() string { return "loggia " + strings.Join(r.args, " ") }

// ok expects success and returns what was printed.
func (u user) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := u.run(t, args...)
	if r.code != 0 {
		t.Fatalf("%s: exit %d\n%s%s", r.name(), r.code, r.out, r.err)
	}
	return strings.TrimSpace(r.out)
}

// fails expects an exit code and one message that holds every text.
func (u user) fails(t *testing.T, code int, texts []string, args ...string) {
	t.Helper()
	u.run(t, args...).failed(code, texts...)
}

func (r result) failed(code int, texts ...string) {
	r.t.Helper()
	if r.code != code {
		r.t.Errorf("%s: exit %d, want %d\n%s%s", r.name(), r.code, code, r.out, r.err)
		return
	}
	for _, text := range texts {
		if !strings.Contains(strings.ToLower(r.err), strings.ToLower(text)) {
			r.t.Errorf("%s: the message does not say %q:\n%s", r.name(), text, r.err)
		}
	}
}
