package clientsecret

import (
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	for range 10_000 { // without the rule, one of 64 begins with "-"
		if s := New(); s[0] == '-' || !Valid(s) {
			t.Fatalf("secret %q", s)
		}
	}
}

func TestValid(t *testing.T) {
	good := strings.Repeat("A", 43)
	for text, want := range map[string]bool{
		good: true, "-" + good[1:]: true,
		"": false, "password": false, good + "A": false, good[1:]: false, good + "=": false,
		good + "\n": false, good[:42] + "\nA": false, good[:42] + "\r": false, good[:42] + "B": false,
	} {
		if Valid(text) != want {
			t.Errorf("Valid(%q) = %t", text, !want)
		}
	}
}
