package netlab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// owner is the process whose lab a namespace belongs to. The start time tells it from a later
// process with the same id, the namespace of ids from one of another container.
type owner struct {
	pids, pid, started string
}

const markPrefix = "netlab"

// mark is an alias of a namespace's loopback device, and the only sign by which a sweep knows it.
func (o owner) mark() string {
	return strings.Join([]string{markPrefix, o.pids, o.pid, o.started}, ",")
}

func parseMark(s string) (owner, bool) {
	f := strings.Split(s, ",")
	if len(f) != 4 || f[0] != markPrefix {
		return owner{}, false
	}
	return owner{pids: f[1], pid: f[2], started: f[3]}, true
}

// self is this process as an owner.
func self() (owner, error) {
	pids, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return owner{}, err
	}
	pid := strconv.Itoa(os.Getpid())
	started, err := startTime(pid)
	return owner{pids: pids, pid: pid, started: started}, err
}

// startTime is the 22nd field of /proc/PID/stat, in clock ticks since boot.
func startTime(pid string) (string, error) {
	b, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return "", err
	}
	s := string(b)
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:]) // from the 3rd on
	if len(fields) < 20 {
		return "", fmt.Errorf("process %s: cannot read its start time from %q", pid, s)
	}
	return fields[19], nil
}

// gone says whether the owner certainly no longer runs.
func (o owner) gone(now owner) bool {
	if o.pids != now.pids {
		return false // no telling from here
	}
	started, err := startTime(o.pid)
	return errors.Is(err, os.ErrNotExist) || err == nil && started != o.started
}

// sweep kills what crashed labs left: the children of their commands. A command itself dies with
// its lab, and a namespace with its last process.
func sweep() error {
	now, err := self()
	if err != nil {
		return err
	}
	all, err := processes()
	if err != nil {
		return err
	}
	left := map[uint64]bool{}
	for inode, pids := range all {
		o, ok := ownerOf(pids[0])
		if ok && o.gone(now) {
			left[inode] = true
		}
	}
	return kill(left)
}

// ownerOf reads the mark of the namespace that a process is in. What cannot be entered is not ours.
func ownerOf(pid int) (o owner, ok bool) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return o, false
	}
	defer f.Close()
	err = onThread(func() error {
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		alias, err := loopbackAlias()
		o, ok = parseMark(alias)
		return err
	})
	return o, ok && err == nil
}

// loopbackAlias asks the kernel for the alias of lo in the thread's namespace.
func loopbackAlias() (string, error) {
	b, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	if err != nil {
		return "", err
	}
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return "", err
	}
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWLINK {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return "", err
		}
		var name, alias string
		for _, a := range attributes {
			switch value := strings.TrimRight(string(a.Value), "\x00"); a.Attr.Type {
			case syscall.IFLA_IFNAME:
				name = value
			case syscall.IFLA_IFALIAS:
				alias = value
			}
		}
		if name == "lo" {
			return alias, nil
		}
	}
	return "", nil
}
