package netlab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// processes lists the processes of every network namespace, this one excepted. Zombies have left
// theirs already.
func processes() (map[uint64][]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	all := map[uint64][]int{}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if inode, ok := networkOf(pid); ok {
			all[inode] = append(all[inode], pid)
		}
	}
	return all, nil
}

// networkOf returns the identity of a process's namespace, or false when it is gone.
func networkOf(pid int) (uint64, bool) {
	var st unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &st)
	return st.Ino, err == nil
}

// inside lists the processes of namespaces.
func inside(inodes map[uint64]bool) ([]int, error) {
	all, err := processes()
	var pids []int
	for inode := range inodes {
		pids = append(pids, all[inode]...)
	}
	slices.Sort(pids)
	return pids, err
}

// killPatience bounds the wait for killed processes: one that hangs in the kernel is an error.
const killPatience = 10 * time.Second

// kill ends every process that is in one of the namespaces, until there is none.
func kill(inodes map[uint64]bool) error {
	deadline := time.Now().Add(killPatience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(inodes) > 0 {
		pids, err := inside(inodes)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v outlived SIGKILL", pids)
		}
		for _, pid := range pids {
			if err := killInside(pid, inodes); err != nil {
				return err
			}
		}
		<-tick.C
	}
	return nil
}

// killInside kills a process by a handle, and only when what the handle holds is in a namespace:
// the id alone could be another's by now.
func killInside(pid int, inodes map[uint64]bool) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("kill %d: %w", pid, err)
	}
	if inode, ok := networkOf(pid); !ok || !inodes[inode] {
		return p.Release()
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(fmt.Errorf("kill %d: %w", pid, err), p.Release())
	}
	return p.Release()
}
