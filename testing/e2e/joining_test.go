package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"loggia/api/v1"
)

// TestJoining shows what does not become a member, and what does not start.
func TestJoining(t *testing.T) {
	s := federate(t, []string{"a"}, nil)
	target := strings.TrimPrefix(s.address("a"), "https://")
	token := func(more ...string) string {
		return s.ok(t, append([]string{"members", "join-token", "--region", "b"}, more...)...)
	}
	serial := 0
	server := func(region string, args ...string) *daemon {
		serial++
		home := filepath.Join(s.dir, fmt.Sprint("extra", serial))
		return start(t, filepath.Join(home, "log"), append([]string{"server", "--data", filepath.Join(home, "node"), "--region", region, "--listen", port(t),
			"--gossip-listen", port(t), "--rtt", "10ms", "--store-path", filepath.Join(home, "store")}, args...)...)
	}
	refused := func(d *daemon, says string) {
		t.Helper()
		code, log := d.ended(t)
		if code == 0 || !strings.Contains(strings.ToLower(log), says) {
			t.Errorf("exit %d, want a failure that says %q:\n%s", code, says, log)
		}
	}
	used := token()

	t.Run("join tokens", func(t *testing.T) {
		d := server("b", "--join", target, "--token", used)
		eventually(t, "the second node", func() error {
			if n := len(read[[]v1.Member](t, s.user, "members")); n != 2 {
				return fmt.Errorf("%d members", n)
			}
			return nil
		})
		d.stop(t)
		refused(server("b", "--join", target, "--token", used), "used")
		refused(server("c", "--join", target, "--token", token()), "region")
		good := token()
		refused(server("b", "--join", target, "--token", good[:len(good)-3]), "was it cut")
		refused(server("b", "--join", target, "--token", good[:60]+flip(good[60])+good[61:]), "mistyped")
		refused(server("b", "--join", target, "--token", "nonsense"), "does not begin")
		short := token("--ttl", "1ns")
		refused(server("b", "--join", target, "--token", short), "expired")
		refused(server("b"), "bootstrap, or join")
	})

	t.Run("a token of another cluster", func(t *testing.T) {
		other := federate(t, []string{"b"}, nil)
		foreign := other.ok(t, "members", "join-token", "--region", "b")
		refused(server("b", "--join", target, "--token", foreign), "not the cluster that the join token names")
	})

	t.Run("members", func(t *testing.T) {
		if n := len(read[[]v1.Member](t, s.user, "members")); n != 2 {
			t.Errorf("%d members after refused joins, want 2", n)
		}
	})

	t.Run("another region in the same directory", func(t *testing.T) {
		s.daemons["a"].stop(t)
		b, err := os.ReadFile(s.conf["a"])
		if err != nil {
			t.Fatal(err)
		}
		moved := filepath.Join(s.dir, "moved.yaml")
		if err := os.WriteFile(moved, []byte(strings.Replace(string(b), "region: a", "region: z", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(start(t, filepath.Join(s.dir, "moved", "log"), "server", "--config", moved), "a node never changes its region")
	})
}

// flip changes a letter of base64url.
func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// TestConfiguration starts servers whose configuration breaks rules: exit 2, and every fault is named.
func TestConfiguration(t *testing.T) {
	u := user{environment(t.TempDir())}
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "loggia.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, bad := range []struct {
		text string
		says []string
	}{
		{"region: 'Not A Region'\nlisten: nowhere\ncluster: {rtt: 9s, bootstrap: true, join: ['x:1']}\nmemory: {buffers: 1MiB}\nlog: {level: loud, format: xml}\nstores:\n- {name: X, kind: tape, class: gold}\n- {name: s, kind: filesystem, path: rel}\n- {name: s, kind: s3}\n",
			[]string{"data:", "region:", "listen:", "cluster.rtt:", "bootstrap and join", "memory.buffers:", "log.level:", "log.format:",
				"stores[0].name:", "stores[0].kind:", "stores[0].class:", "stores[1].path:", "stores[2].name:", "stores[2].s3.endpoint:", "stores[2].s3.bucket:"}},
		{"data: /x\nregoin: a\n", []string{"regoin"}},
		{"data: [1,2]\n", []string{"line 1"}},
		{"data: /x\n---\ndata: /y\n", []string{"more than one document"}},
		{"data: \x00\n", []string{"loggia.yaml"}},
		{"memory: {limit: lots}\n", []string{"lots"}},
		{"cluster: {rtt: soon}\n", []string{"soon"}},
	} {
		u.fails(t, 2, bad.says, "server", "--config", write(bad.text))
	}
	u.fails(t, 2, []string{"no such file"}, "server", "--config", "/nonexistent/loggia.yaml")
	u.fails(t, 2, []string{"--rtt"}, "server", "--data", "/x", "--region", "a", "--rtt", "soon")
	u.with("LOGGIA_SERVER_BOOTSTRAP=perhaps").fails(t, 2, []string{"LOGGIA_SERVER_BOOTSTRAP"}, "server", "--data", "/x", "--region", "a")
	u.fails(t, 2, []string{"unknown flag"}, "server", "--nonsense")
}
