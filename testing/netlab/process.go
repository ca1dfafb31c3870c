package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is exec.Command for a process of a region. It gets SIGKILL when the lab is closed and
// when this process dies. The caller starts it and waits for it; its pid is the program's own.
func (l *Lab) Command(region, name string, args ...string) *exec.Cmd {
	args = append([]string{"--net=" + l.region(region).path(), "--", name}, args...)
	cmd := exec.CommandContext(l.ctx, "nsenter", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

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

// killPatience bounds the wait for killed processes: one that hangs in the kernel is an error.
const killPatience = 10 * time.Second

// kill ends every process that is in one of the regions, until there is none.
func (l *Lab) kill() error {
	deadline := time.Now().Add(killPatience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		pids, err := inside(l.regions)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v outlived SIGKILL", pids)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill %d: %w", pid, err)
			}
		}
		<-tick.C
	}
}

// inside lists the processes of regions. Zombies have left them already.
func inside(regions []*namespace) ([]int, error) {
	ours := map[uint64]bool{}
	for _, ns := range regions {
		ours[ns.inode] = true
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		var st unix.Stat_t
		if err != nil || pid == os.Getpid() || unix.Stat(dir+"/ns/net", &st) != nil {
			continue // gone meanwhile
		}
		if ours[st.Ino] {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
