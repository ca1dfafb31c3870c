package netlab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespace is a region: a network namespace that lives as long as handle is open or a process is in it.
type namespace struct {
	name   string
	index  int      // in the lab, and in the addresses
	handle *os.File // of the namespace
	inode  uint64   // its identity
}

func newNamespace(index int, name string) (*namespace, error) {
	ns := &namespace{name: name, index: index}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("%w (unshare: %w)", ErrForbidden, err)
		}
		// Neighbour discovery would be counted as traffic.
		err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("turn off IPv6: %w", err)
		}
		ns.handle, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("region %s: %w", name, err)
	}
	if err := ns.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("region %s: %w", name, err), ns.handle.Close())
	}
	return ns, nil
}

// prepare gives the namespace its addresses. They are the loopback's, since they belong to no link.
func (ns *namespace) prepare() error {
	var st unix.Stat_t
	if err := unix.Fstat(int(ns.handle.Fd()), &st); err != nil {
		return err
	}
	ns.inode = st.Ino
	me, err := self()
	if err != nil {
		return err
	}
	script := []string{"link set dev lo alias " + me.mark(), "link set lo up"}
	for h := range MaxHosts {
		script = append(script, fmt.Sprintf("addr add %s/32 dev lo scope global", ns.addr(h)))
	}
	// The local table moves behind the rules with which a veth link is cut.
	script = append(script, "rule add pref 100 lookup local", "rule del pref 0")
	return ns.ip(script...)
}

// setTCPBuffer sets the largest buffers of TCP sockets that are made from now on; 0 changes nothing.
func (ns *namespace) setTCPBuffer(n int) error {
	if n == 0 {
		return nil
	}
	return ns.do(func() error {
		// Least, at first, and most; the first two are the kernel's own.
		rmem := os.WriteFile("/proc/sys/net/ipv4/tcp_rmem", fmt.Appendf(nil, "4096 131072 %d", n), 0)
		wmem := os.WriteFile("/proc/sys/net/ipv4/tcp_wmem", fmt.Appendf(nil, "4096 16384 %d", n), 0)
		return errors.Join(rmem, wmem)
	})
}

func (ns *namespace) addr(host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 77, byte(ns.index), byte(10 + host)})
}

// subnet holds every address of the region.
func (ns *namespace) subnet() string { return fmt.Sprintf("10.77.%d.0/24", ns.index) }

// device is the name, in another region, of the link to this one.
func (ns *namespace) device() string { return "to-" + ns.name }

// path opens the namespace for other processes while this one lives.
func (ns *namespace) path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.handle.Fd())
}

// ip runs commands of iproute2 in the namespace.
func (ns *namespace) ip(script ...string) error {
	return ns.do(func() error {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(script, "\n"))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("ip: %w\n%s", err, out.Bytes())
		}
		return nil
	})
}

// do runs f on a thread that is in the namespace: sockets, devices and processes that f makes, on
// its own goroutine, are in it too.
func (ns *namespace) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.handle.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter region %s: %w", ns.name, err)
		}
		return f()
	})
}

// onThread runs f on a thread that f may move to another namespace, and brings the thread home.
// A thread must not end here: the kernel then kills the children that it forked for anybody, if
// they have a parent-death signal. The main thread stays home: to other labs, the namespace that it
// is in is the one that the process is in, and they kill what is in theirs.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- onThread(f) // on another: this one is held meanwhile
			return
		}
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		err = f()
		back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET)
		if back == nil {
			runtime.UnlockOSThread()
		} // else it ends after all, rather than leak the namespace to others
		if e := errors.Join(back, home.Close()); e != nil {
			err = errors.Join(err, fmt.Errorf("leave the namespace: %w", e))
		}
		done <- err
	}()
	return <-done
}
