package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"loggia/api/v1"
)

// cluster is a running cluster and somebody who may do everything in it.
type cluster struct {
	user
	dir  string
	vars map[string]string // what the environment of clients holds
	proc *daemon           // of loggia dev
}

// develop starts `loggia dev` in its own directory, with further flags.
func develop(t *testing.T, regions string, more ...string) *cluster {
	t.Helper()
	c := &cluster{dir: t.TempDir()}
	c.proc = start(t, filepath.Join(c.dir, "log"), append([]string{"dev", "--regions", regions, "--data", filepath.Join(c.dir, "data"),
		"--env-file", filepath.Join(c.dir, "env"), "--port", "0"}, more...)...)
	eventually(t, "loggia dev to be ready", func() error {
		if !c.proc.running() {
			b, _ := os.ReadFile(c.proc.log)
			t.Fatalf("loggia dev ended: %v\n%s", c.proc.err, b)
		}
		return c.source(filepath.Join(c.dir, "env"))
	})
	return c
}

// source reads the shell assignments that loggia dev writes.
func (c *cluster) source(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	c.vars = map[string]string{}
	var env []string
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "export ")), "=")
		if !ok {
			return fmt.Errorf("no assignment: %q", line)
		}
		c.vars[name] = strings.Trim(value, "'")
		env = append(env, name+"="+strings.Trim(value, "'"))
	}
	c.user = user{environment(filepath.Join(c.dir, "state"), env...)}
	return nil
}

// address is the URL of a region.
func (c *cluster) address(region string) string {
	return c.vars["LOGGIA_ADDRESS_"+strings.ToUpper(region)]
}

// at is the user as a client of a region.
func (c *cluster) at(region string) user {
	return c.with("LOGGIA_ADDRESS=" + c.address(region))
}

// read runs a command with JSON output into v.
func read[T any](t *testing.T, u user, args ...string) T {
	t.Helper()
	var v T
	out := u.ok(t, append(args, "--output", "json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return v
}

// states sums a version's replicas up as region -> state.
func states(s v1.VersionStatus) map[string]string {
	out := map[string]string{}
	for _, r := range s.Regions {
		out[r.Region] = r.State
	}
	return out
}
