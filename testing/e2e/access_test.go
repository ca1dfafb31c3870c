package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loggia/api/v1"
)

// TestAccess shows who is let in, and that everybody else gets one clear message.
func TestAccess(t *testing.T) {
	c := develop(t, "a")
	token := func(v string) user { return c.with("LOGGIA_TOKEN=" + v) }
	own := c.vars["LOGGIA_TOKEN"]

	t.Run("wrong tokens", func(t *testing.T) {
		last := own[len(own)-2:]
		other := strings.TrimSuffix(own, last) + map[bool]string{true: "BA", false: "AA"}[last == "AA"]
		id, _, _ := strings.Cut(strings.TrimPrefix(own, "loggia-token."), ".")
		for _, bad := range []struct{ token, says string }{
			{"", "no bearer token"},
			{"nonsense", "malformed"},
			{"loggia-token.", "malformed"},
			{"loggia-token." + id + ".short", "malformed"},
			{own + "A", "malformed"},
			{strings.Repeat("A", 9000), "malformed"},
			{other, "not known"},
		} {
			r := token(bad.token).run(t, "gallery", "list")
			r.failed(4, bad.says)
			if len(bad.token) > 20 && strings.Contains(r.err, bad.token) {
				t.Error("the message repeats the token")
			}
		}
		token(own).ok(t, "gallery", "list")
	})

	t.Run("an expired token", func(t *testing.T) {
		short := read[v1.Token](t, c.user, "token", "create", "short", "--ttl", "3s")
		token(short.Secret).ok(t, "gallery", "list")
		eventually(t, "the token to expire", func() error {
			if r := token(short.Secret).run(t, "gallery", "list"); r.code == 0 {
				return errors.New("still good")
			}
			return nil
		})
		token(short.Secret).fails(t, 4, []string{"expired at"}, "gallery", "list")
	})

	t.Run("a revoked token", func(t *testing.T) {
		made := read[v1.Token](t, c.user, "token", "create", "helper")
		token(made.Secret).ok(t, "gallery", "list")
		if list := c.ok(t, "token", "list", "--output", "json"); strings.Contains(list, made.Secret) || !strings.Contains(list, made.ID) {
			t.Errorf("the list of tokens must hold the id and no secret: %s", list)
		}
		c.ok(t, "token", "delete", made.ID)
		token(made.Secret).fails(t, 4, []string{"not known"}, "gallery", "list")
		c.fails(t, 3, nil, "token", "delete", made.ID)
	})

	t.Run("a wrong CA", func(t *testing.T) {
		dir := t.TempDir()
		other := filepath.Join(dir, "other.pem")
		make := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
			"-keyout", filepath.Join(dir, "key"), "-out", other)
		if out, err := make.CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
		c.with("LOGGIA_CACERT="+other).fails(t, 8, []string{"certificate", "unknown authority"}, "gallery", "list")
		c.with("LOGGIA_CACERT=").fails(t, 8, []string{"certificate", "unknown authority"}, "gallery", "list")
		c.with("LOGGIA_CACERT="+filepath.Join(dir, "none")).fails(t, 2, []string{"CA certificate"}, "gallery", "list")
		if err := os.WriteFile(other, []byte("no certificate"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.with("LOGGIA_CACERT="+other).fails(t, 2, []string{"holds no certificate"}, "gallery", "list")
	})

	t.Run("a wrong address", func(t *testing.T) {
		c.with("LOGGIA_ADDRESS=https://127.0.0.1:1").fails(t, 8, []string{"connection refused"}, "gallery", "list")
		c.with("LOGGIA_ADDRESS=http://127.0.0.1:1").fails(t, 2, []string{"must be an https URL"}, "gallery", "list")
		c.with("LOGGIA_ADDRESS=").fails(t, 2, []string{"LOGGIA_ADDRESS"}, "gallery", "list")
		// The first that answers is used.
		c.with("LOGGIA_ADDRESS=https://127.0.0.1:1,"+c.address("a")).ok(t, "gallery", "list")
	})

	t.Run("files of the node", func(t *testing.T) { private(t, c) })
	t.Run("events", func(t *testing.T) { events(t, c) })
	t.Run("watch", func(t *testing.T) { watch(t, c) })
}

// private expects that nobody else may read the node's secrets.
func private(t *testing.T, c *cluster) {
	t.Helper()
	files := []string{filepath.Join(c.dir, "env"), filepath.Join(c.dir, "data", "a", "node", "admin.token")}
	keys, err := filepath.Glob(filepath.Join(c.dir, "data", "a", "node", "*.key"))
	if err != nil || len(keys) == 0 {
		t.Fatalf("no keys: %v", err)
	}
	for _, f := range append(files, keys...) {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f, st.Mode())
		}
	}
}

// events follows a version from its birth to its end.
func events(t *testing.T, c *cluster) {
	all := c.listen(t, "a", "")
	heard(t, all, "hello", func(e v1.Event) bool { return e.Type == "hello" })
	c.ok(t, "publish", image(t, filepath.Join(t.TempDir(), "raw"), 4, 1), "ev/i/1.0.0")
	heard(t, all, "the version Completed", func(e v1.Event) bool {
		return e.Type == "version" && e.Key == "ev/i/1.0.0" && e.Version != nil && e.Version.State == "Completed"
	})
	one := c.listen(t, "a", "?version=ev/i/1.0.0")
	heard(t, one, "the version as it is", func(e v1.Event) bool { return e.Version != nil && e.Version.Name == "1.0.0" })
	c.ok(t, "version", "delete", "ev/i/1.0.0")
	for _, stream := range []<-chan v1.Event{all, one} {
		heard(t, stream, "deleted", func(e v1.Event) bool { return e.Type == "deleted" && e.Key == "ev/i/1.0.0" })
	}
	if a := c.ask(t, "GET", c.address("a")+"/v1/events?version=ev/i/1.0.0", c.vars["LOGGIA_TOKEN"], nil); a.status != 404 {
		t.Errorf("events of a version that is gone: %d %s", a.status, a.body)
	}
	if a := c.ask(t, "GET", c.address("a")+"/v1/events?version=ev", c.vars["LOGGIA_TOKEN"], nil); a.status != 400 || a.fault.Target != "version" {
		t.Errorf("events of half a name: %d %s", a.status, a.body)
	}
}

// watch interrupts `status --watch`, which ends with 130.
func watch(t *testing.T, c *cluster) {
	c.ok(t, "publish", image(t, filepath.Join(t.TempDir(), "raw"), 4, 2), "watch/i/1.0.0")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, loggia, "status", "--watch", "watch/i/1.0.0")
	cmd.Env = c.env
	log := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "a line", func() error {
		b, err := os.ReadFile(log)
		if err == nil && !strings.Contains(string(b), "Completed") {
			err = fmt.Errorf("only %q", b)
		}
		return err
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("interrupted: exit %d, want 130", code)
	}
}
