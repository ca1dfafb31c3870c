package netlab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// crashEnv makes the test's binary a process that holds a lab until it is killed.
const crashEnv = "LOGGIA_NETLAB_CRASH"

func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) == "" {
		os.Exit(m.Run())
	}
	if err := holdLab(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// holdLab prints the process of a command and its child, and waits for the end of standard input.
func holdLab() error {
	l, err := New(Options{Regions: []string{"eu", "us"}, RTT: time.Millisecond})
	if err != nil {
		return err
	}
	cmd := l.Command("eu", "sh", "-c", "sleep 1000 & echo $$ $!; wait")
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		return errors.Join(err, l.Close())
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, l.Close(), cmd.Wait())
}

func TestCrashedLabIsSwept(t *testing.T) {
	lab := exec.CommandContext(t.Context(), os.Args[0])
	lab.Env = append(os.Environ(), crashEnv+"=1")
	lab.Stderr = os.Stderr
	_, err := lab.StdinPipe() // open until the lab is killed
	must(t, err)
	out, err := lab.StdoutPipe()
	must(t, err)
	must(t, lab.Start())
	var command, child int
	_, err = fmt.Fscan(out, &command, &child)
	inode, ok := networkOf(child)
	if err != nil || !ok {
		t.Fatalf("processes %d and %d of the lab: %v", command, child, err)
	}

	newLab(t, Options{Regions: []string{"eu"}}) // sweeps
	if got := within(t, inode); !slices.Equal(got, []int{command, child}) {
		t.Fatalf("in another's lab: %v, want %d and %d untouched", got, command, child)
	}

	must(t, lab.Process.Kill())
	_ = lab.Wait() // killed
	await(t, "the command dies with its lab", func() bool { return !slices.Contains(within(t, inode), command) })
	if got := within(t, inode); !slices.Equal(got, []int{child}) {
		t.Fatalf("after the crash: %v, want the command's child %d", got, child)
	}
	newLab(t, Options{Regions: []string{"eu"}})
	if got := within(t, inode); len(got) > 0 {
		t.Errorf("left by the crashed lab: %v", got)
	}
}

func within(t *testing.T, inode uint64) []int {
	t.Helper()
	pids, err := inside(map[uint64]bool{inode: true})
	must(t, err)
	return pids
}

// await looks every few milliseconds, for ten seconds.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 10 s: %s", what)
		}
	}
}

func TestOwnerIsGone(t *testing.T) {
	now, err := self()
	must(t, err)
	for name, c := range map[string]struct {
		owner owner
		gone  bool
	}{
		"this process":         {now, false},
		"its id used again":    {owner{now.pids, now.pid, "1"}, true},
		"no such process":      {owner{now.pids, "4194305", now.started}, true}, // above the largest id
		"in another container": {owner{"pid:[1]", "4194305", "1"}, false},
	} {
		if got := c.owner.gone(now); got != c.gone {
			t.Errorf("%s: gone is %v, want %v", name, got, c.gone)
		}
		if back, ok := parseMark(c.owner.mark()); !ok || back != c.owner {
			t.Errorf("%s: mark %q reads as %+v, %v", name, c.owner.mark(), back, ok)
		}
	}
	for _, s := range []string{"", "eth0", "netlab", "other,a,b,c"} {
		if _, ok := parseMark(s); ok {
			t.Errorf("%q is taken for a mark", s)
		}
	}
}
