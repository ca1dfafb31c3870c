package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestResume kills the command line in the middle of a transfer; the same command goes on.
func TestResume(t *testing.T) {
	c := develop(t, "a")
	dir := t.TempDir()
	file := image(t, filepath.Join(dir, "raw"), 40, seed(t))

	t.Run("publish", func(t *testing.T) {
		g, url := shutAfter(t, c.address("a"), 6*mib, -1)
		killed(t, g, c.with("LOGGIA_ADDRESS="+url).command("publish", file, "g/i/1.0.0"))
		g.cut()
		c.fails(t, 3, nil, "version", "show", "g/i/1.0.0")
		uploads := func() []string {
			m, err := filepath.Glob(filepath.Join(c.dir, "state", "loggia", "uploads", "*"))
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		if len(uploads()) != 1 {
			t.Errorf("the interrupted publish left %d ids, want 1", len(uploads()))
		}
		c.ok(t, "publish", file, "g/i/1.0.0")
		if len(uploads()) != 0 {
			t.Errorf("the finished publish left its id: %v", uploads())
		}
		c.ok(t, "verify", file, "g/i/1.0.0")
	})

	t.Run("pull", func(t *testing.T) {
		out := filepath.Join(dir, "out")
		g, url := shutAfter(t, c.address("a"), -1, 12*mib)
		killed(t, g, c.with("LOGGIA_ADDRESS="+url).command("pull", "g/i/1.0.0", "-o", out))
		if m, err := filepath.Glob(out); err != nil || len(m) != 0 {
			t.Errorf("an unfinished pull already has its name: %v, %v", m, err)
		}
		r := c.run(t, "pull", "g/i/1.0.0", "-o", out)
		r.failed(0, "resumed")
		if strings.Contains(r.err, " 0 B resumed") {
			t.Errorf("nothing of the interrupted pull was of use: %s", r.err)
		}
		same(t, out, file)
		if m, err := filepath.Glob(filepath.Join(dir, ".out.*")); err != nil || len(m) != 0 {
			t.Errorf("the finished pull left %v, %v", m, err)
		}
	})

	t.Run("pull over a damaged unfinished file", func(t *testing.T) {
		out := filepath.Join(dir, "again")
		g, url := shutAfter(t, c.address("a"), -1, 12*mib)
		killed(t, g, c.with("LOGGIA_ADDRESS="+url).command("pull", "g/i/1.0.0", "-o", out))
		m, err := filepath.Glob(filepath.Join(dir, ".again.*.partial"))
		if err != nil || len(m) != 1 {
			t.Fatalf("unfinished files: %v, %v", m, err)
		}
		for at := int64(0); at < 40*mib; at += mib {
			edit(t, m[0], at+1000, []byte("damage"))
		}
		c.ok(t, "pull", "g/i/1.0.0", "-o", out)
		same(t, out, file)
	})

	t.Run("the node dies while a client pulls", func(t *testing.T) { restart(t, c, dir, file) })
}

// TestVanished lets a client's machine vanish without a word in the middle of a publish: its
// connections stay open for ever. The same publish from elsewhere goes on and is not held up.
func TestVanished(t *testing.T) {
	t.Parallel()
	c := develop(t, "a")
	file := image(t, filepath.Join(t.TempDir(), "raw"), 40, seed(t))
	g, url := shutAfter(t, c.address("a"), 6*mib, -1)
	killed(t, g, c.with("LOGGIA_ADDRESS="+url).command("publish", file, "g/i/1.0.0"))
	c.ok(t, "publish", file, "g/i/1.0.0")
	c.ok(t, "verify", file, "g/i/1.0.0")
}

// killed starts a command, waits until the gate has closed on it, and kills it.
func killed(t *testing.T, g *gate, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-g.shut:
	case err := <-done:
		t.Fatalf("the command ended before it was killed: %v", err)
	case <-time.After(patience):
		t.Error("the transfer did not come to the gate")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done
}

// restart kills the whole development cluster with -9 and starts it again in its directory.
func restart(t *testing.T, c *cluster, dir, file string) {
	before := c.ok(t, "version", "show", "g/i/1.0.0", "--output", "json")
	c.proc.kill(t)
	c.fails(t, 8, nil, "version", "show", "g/i/1.0.0")
	env := filepath.Join(c.dir, "env2")
	c.proc = start(t, filepath.Join(c.dir, "log2"), "dev", "--regions", "a", "--data", filepath.Join(c.dir, "data"), "--env-file", env, "--port", "0")
	eventually(t, "the cluster to be back", func() error {
		if !c.proc.running() {
			return fmt.Errorf("it ended: %w", c.proc.err)
		}
		return c.source(env)
	})
	if after := c.ok(t, "version", "show", "g/i/1.0.0", "--output", "json"); after != before {
		t.Errorf("was %s\nand is %s", before, after)
	}
	out := filepath.Join(dir, "after")
	c.ok(t, "pull", "g/i/1.0.0", "-o", out)
	same(t, out, file)
}
