package rbac

import (
	"strings"
	"testing"
)

// slowMatch is Match written the dumb way: a table of which prefix of the pattern matches which prefix of the action.
func slowMatch(pattern, action string) bool {
	pattern, action = slowLower(pattern), slowLower(action)
	row := make([]bool, len(action)+1)
	row[0] = true
	for _, p := range []byte(pattern) {
		next := make([]bool, len(action)+1)
		for j := range next {
			if p == '*' {
				next[j] = row[j] || j > 0 && next[j-1]
			} else {
				next[j] = j > 0 && row[j-1] && action[j-1] == p
			}
		}
		row = next
	}
	return row[len(action)]
}

func slowLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ", c) >= 0 {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}

func TestMatch(t *testing.T) {
	const versionRead = "Microsoft.Compute/galleries/images/versions/read"
	for _, x := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", versionRead, true},
		{"*", "", true},
		{"", "", true},
		{"", versionRead, false},
		{"**", versionRead, true},
		{"*/read", versionRead, true},
		{"*/READ", versionRead, true},
		{"*/read", "read", false},
		{"*/read", "Microsoft.Compute/galleries/reads", false},
		{"*/read", "Microsoft.Compute/galleries/read/action", false},
		{"microsoft.compute/GALLERIES/images/versions/read", versionRead, true},
		{"Microsoft.Compute/galleries/*", versionRead, true},
		{"Microsoft.Compute/galleries/*", "Microsoft.Compute/galleries", false},
		{"Microsoft.Compute/galleries/*", "Microsoft.Compute/galleriesx/read", false},
		{"Microsoft.Compute/*/read", versionRead, true},
		{"Microsoft.Compute/*/read", "Microsoft.Compute/read", false},
		{"Microsoft.Compute/galleries/*/versions/*", versionRead, true},
		{"Microsoft.Compute/galleries/*/versions/*", "Microsoft.Compute/galleries/applications/versions/write", true},
		{"Microsoft.Compute/galleries/*/versions/*", "Microsoft.Compute/galleries/images/read", false},
		{"Microsoft.Compute/galleries/images/read", versionRead, false},
		{"Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write", true},
		{"Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/read", false},
		{"*a*a*b", "aab", true},
		{"*ab*ba", "aba", false},
		{"ab*ba", "aba", false},
		{"ab*ba", "abba", true},
		{"*aab", "aaab", true},
		{"\u212a*", "k/read", false}, // the Kelvin sign is no k
		{"*", strings.Repeat("a", MaxAction+1), false},
		{"*", strings.Repeat("a", MaxAction), true},
	} {
		if got := Match(x.pattern, x.action); got != x.want {
			t.Errorf("Match(%q, %q): got %v, want %v", x.pattern, x.action, got, x.want)
		}
		if slow := slowMatch(x.pattern, x.action); slow != x.want && len(x.action) <= MaxAction {
			t.Errorf("slowMatch(%q, %q): got %v, want %v", x.pattern, x.action, slow, x.want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, p := range []string{"*", "*/read", "Microsoft.Compute/*/read", "*a*a*a*b", "ab*ba", "**x**", "", "\xff*", "\u212a"} {
		for _, a := range []string{"Microsoft.Compute/galleries/read", "aaaaaaaaaaaaaaaaaaaaaaaac", "aba", "", "x/\xff", "K"} {
			f.Add(p, a)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, action string) {
		if len(pattern) > MaxRoleText {
			return
		}
		got, want := Match(pattern, action), len(action) <= MaxAction && slowMatch(pattern, action)
		if got != want {
			t.Errorf("Match(%q, %q): got %v, want %v", pattern, action, got, want)
		}
	})
}

// BenchmarkMatchWorst holds the patterns that a matcher which goes back would choke on.
func BenchmarkMatchWorst(b *testing.B) {
	action := strings.Repeat("a", MaxAction-1) + "b"
	for name, pattern := range map[string]string{
		"many stars": strings.Repeat("*a", MaxRoleText/2-1) + "*c",
		"long piece": "*" + strings.Repeat("a", MaxAction/2) + "c*",
		"few stars":  "*a*a*a*a*a*a*a*a*c",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if Match(pattern, action) {
					b.Fatal("matched")
				}
			}
		})
	}
}
