package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCompletion asks as a shell does what could come next.
func TestCompletion(t *testing.T) {
	t.Parallel()
	c := develop(t, "west,east")
	c.ok(t, "publish", image(t, filepath.Join(t.TempDir(), "raw"), 4, 1), "golden/debian/1.0.0")
	proposes := func(u user, want []string, typed ...string) {
		t.Helper()
		var got []string
		for line := range strings.Lines(u.ok(t, append([]string{"__complete"}, typed...)...)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != ':' {
				word, _, _ := strings.Cut(line, "\t")
				got = append(got, word)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q proposes %q, want %q", typed, got, want)
		}
	}
	proposes(c.user, []string{"verify", "version"}, "ver")
	proposes(c.user, []string{"golden"}, "gallery", "show", "")
	proposes(c.user, []string{"golden/"}, "status", "g")
	proposes(c.user, []string{"golden/debian/"}, "pull", "golden/")
	proposes(c.user, []string{"golden/debian/1.0.0", "golden/debian/latest"}, "pull", "golden/debian/")
	proposes(c.user, []string{"golden/debian"}, "version", "list", "golden/de")
	proposes(c.user, nil, "wait", "nothing/")
	proposes(c.user, nil, "wait", "golden/debian/1.0.0", "")
	proposes(c.user, []string{"east", "west"}, "region", "show", "")
	proposes(c.user, []string{"west,east"}, "publish", "x", "golden/debian/2.0.0", "--regions", "west,")
	proposes(c.user, nil, "publish", "x", "golden/debian/2.0.0", "--regions", "west=2,w")
	proposes(c.user, []string{"json", "table", "yaml"}, "region", "list", "--output", "")
	proposes(c.user, []string{"all", "local"}, "wait", "golden/debian/1.0.0", "--for", "")
	proposes(c.user, nil, "dev", "--regions", "")
	proposes(c.with("LOGGIA_ADDRESS=https://127.0.0.1:1"), nil, "status", "")
	proposes(c.with("LOGGIA_ADDRESS="), nil, "status", "")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if script := c.ok(t, "completion", shell); !strings.Contains(script, "__complete") {
			t.Errorf("the script for %s asks nothing", shell)
		}
	}
}
