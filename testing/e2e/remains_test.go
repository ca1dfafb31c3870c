package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"loggia/api/v1"
)

// TestWhatIsLeftOfLostCopies: no copy of a version is whole any more, as a person let both go. That is said of it; and as each region still has what the
// other lacks, both are made whole from what is left.
func TestWhatIsLeftOfLostCopies(t *testing.T) {
	c := develop(t, "a,b", "--checks-period", "0")
	dir := t.TempDir()
	n := seed(t)
	one := image(t, filepath.Join(dir, "one"), 16, n)
	two := changed(t, one, filepath.Join(dir, "two"), n+1)
	const version = "g/i/1.0.1"
	c.ok(t, "publish", one, "g/i/1.0.0", "--regions", "a,b")
	first := map[string][]string{"a": c.packs(t, "a"), "b": c.packs(t, "b")}
	c.ok(t, "publish", two, version, "--base", "g/i/1.0.0", "--regions", "a,b")
	c.ok(t, "version", "delete", "g/i/1.0.0")

	// The one loses what the first version brought, the other what the second did.
	for _, p := range c.packs(t, "a") {
		if !slices.Contains(first["a"], p) {
			remove(t, p)
		}
	}
	for _, p := range first["b"] {
		remove(t, p)
	}
	for _, way := range [][2]string{{"a", "b"}, {"b", "a"}} {
		c.ok(t, "limit", "set", "64KiB/s", "--from", way[0], "--to", way[1]) // neither is whole before the other is given up
	}
	c.run(t, "verify", "--region", "b", "--repair")
	c.ok(t, "pause", version, "--region", "b") // what is under way there knows of a whole copy yet
	c.run(t, "verify", "--region", "a", "--repair")
	why := func(want string) func() error {
		return func() error {
			s := read[v1.VersionStatus](t, c.user, "status", version)
			for _, region := range s.Regions {
				for _, r := range region.Replicas {
					if r.State == "Completed" || r.Reason != want {
						return fmt.Errorf("%+v", r)
					}
				}
			}
			return nil
		}
	}
	eventually(t, "both to say that there is no source", why("NoSource"))
	for _, way := range [][2]string{{"a", "b"}, {"b", "a"}} {
		c.ok(t, "limit", "remove", "--from", way[0], "--to", way[1])
	}
	c.ok(t, "resume", version, "--region", "b")
	c.ok(t, "wait", version, "--through-failures")
	for _, region := range []string{"a", "b"} {
		out := filepath.Join(dir, "out-"+region)
		c.at(region).ok(t, "pull", version, "-o", out)
		same(t, out, two)
		check(t, c.user, 0, "--region", region)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
