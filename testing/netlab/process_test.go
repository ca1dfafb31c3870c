package netlab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A child with a parent-death signal dies with the thread that forked it. The lab moves threads
// between namespaces, and must not end one.
func TestCommandOutlivesOtherUsesOfTheLab(t *testing.T) {
	l := newLab(t, Options{Regions: []string{"eu", "us"}})
	cmd := l.Command("eu", "sleep", "1000")
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the lab
	for i := range 200 {
		if _, err := l.Counters("us"); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			t.Fatalf("the command ended after the counters were read %d times: %v", i+1, err)
		default:
		}
	}
	if pids, err := inside(l.inodes()); err != nil || len(pids) != 1 {
		t.Errorf("in the lab: %v, %v, want the command alone", pids, err)
	}
}

// handles returns how many namespaces and devices this process has open.
func handles(t *testing.T) (n int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	for _, fd := range fds {
		to, err := os.Readlink(fd)
		if err == nil && (strings.HasPrefix(to, "net:[") || to == "/dev/net/tun") {
			n++
		}
	}
	return n
}

func TestCloseLeavesNothing(t *testing.T) {
	before := handles(t)
	l, err := New(Options{Regions: []string{"eu", "us", "asia"}, RTT: 1})
	must(t, err)
	if got := handles(t) - before; got != 3+6 { // regions, and two devices per pair
		t.Errorf("%d namespaces and devices are open, want 9", got)
	}
	ln, err := l.Listen(t.Context(), "eu", "tcp", l.Addr("eu", 0).String()+":0")
	must(t, err)
	c, err := l.Dial(t.Context(), "us", "tcp", ln.Addr().String())
	must(t, err)
	must(t, c.Close())
	must(t, ln.Close())
	must(t, l.Close())
	if got := handles(t); got != before {
		t.Errorf("%d namespaces and devices are open after the lab, %d before it", got, before)
	}
	home, err := os.Readlink("/proc/self/ns/net")
	must(t, err)
	tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
	must(t, err)
	for _, task := range tasks {
		if at, err := os.Readlink(task); err == nil && at != home {
			t.Errorf("%s is still in %s", task, at)
		}
	}
}

func TestTheMainThreadStaysHome(t *testing.T) {
	for range 500 {
		must(t, onThread(func() error {
			if unix.Gettid() == unix.Getpid() {
				t.Error("on the main thread")
			}
			return nil
		}))
	}
}
