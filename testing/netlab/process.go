package netlab

import (
	"context"
	"net"
	"os/exec"
	"syscall"
)

// Command is exec.Command for a process of a region. It gets SIGKILL when the lab is closed and
// when this process dies, and is in a process group of its own: a signal from the terminal is for
// this process to pass on. The caller starts it and waits for it; its pid is the program's own.
func (l *Lab) Command(region, name string, args ...string) *exec.Cmd {
	return l.command(l.ctx, region, name, args...)
}

// CommandContext is Command with a context at whose end the process is killed.
func (l *Lab) CommandContext(ctx context.Context, region, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(l.ctx, cancel)
	return l.command(ctx, region, name, args...)
}

func (l *Lab) command(ctx context.Context, region, name string, args ...string) *exec.Cmd {
	args = append([]string{"--net=" + l.Namespace(region), "--", name}, args...)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return cmd
}

// Namespace is a path by which other programs (nsenter --net=PATH) enter a region while the lab is
// open. It panics on a region that the lab does not have.
func (l *Lab) Namespace(region string) string { return l.region(region).path() }

// Dial connects from a region to an address with a literal IP.
func (l *Lab) Dial(ctx context.Context, region, network, address string) (net.Conn, error) {
	var c net.Conn
	err := l.region(region).do(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen listens in a region on an address with a literal IP.
func (l *Lab) Listen(ctx context.Context, region, network, address string) (net.Listener, error) {
	var ln net.Listener
	err := l.region(region).do(func() (err error) {
		ln, err = new(net.ListenConfig).Listen(ctx, network, address)
		return err
	})
	return ln, err
}
