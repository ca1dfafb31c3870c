package main

import (
	"strings"
	"testing"
	"time"
)

// TestGraphicFits draws bars on terminals of all widths: none reaches the last column, where some wrap.
func TestGraphicFits(t *testing.T) {
	for _, b := range []bar{
		{name: "west", note: "Completed"},
		{name: "west", done: 1 << 30, total: 4 << 30, rate: 120e6, eta: 25 * time.Second, note: "from east"},
		{name: "a-region-with-a-long-name", done: 5, total: 4, note: strings.Repeat("StoreFull: ", 20)},
	} {
		for width := 41; width < 200; width++ {
			line := b.graphic(width)
			if n := len([]rune(line)); n > width-1 {
				t.Fatalf("%d columns on a terminal of %d: %q", n, width, line)
			}
			if whole := len(b.text()) + 13; width > whole && !strings.HasSuffix(line, b.tail()) { // 13: the least bar with its brackets and a blank
				t.Fatalf("the end is cut on a terminal of %d: %q", width, line)
			}
		}
	}
}

// TestPlainLinesSayWhatMoved draws to something that is no terminal: a line for each bar that changed.
func TestPlainLinesSayWhatMoved(t *testing.T) {
	var out strings.Builder
	b := &board{out: &out}
	last := map[string]string{}
	b.set(bar{name: "west", done: 1 << 20, total: 2 << 20})
	b.set(bar{name: "east", total: 2 << 20, note: "Unknown"})
	b.draw(last)
	b.draw(last)
	b.set(bar{name: "west", done: 2 << 20, total: 2 << 20, note: "Completed"})
	b.draw(last)
	want := "west          50%  1.0 MiB of 2.0 MiB\neast           0%  0 B of 2.0 MiB  Unknown\nwest         100%  2.0 MiB of 2.0 MiB  Completed\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestTerminalIsRedrawn goes up by as many lines as it drew.
func TestTerminalIsRedrawn(t *testing.T) {
	var out strings.Builder
	b := &board{out: &out, tty: true, width: 80}
	b.set(bar{name: "west"})
	b.draw(nil)
	b.set(bar{name: "east"})
	b.draw(nil)
	b.draw(nil)
	if got := strings.Count(out.String(), "\x1b[1A"); got != 1 {
		t.Errorf("went up by one line %d times, want 1: %q", got, out.String())
	}
	if got := strings.Count(out.String(), "\x1b[2A"); got != 1 {
		t.Errorf("went up by two lines %d times, want 1: %q", got, out.String())
	}
}
