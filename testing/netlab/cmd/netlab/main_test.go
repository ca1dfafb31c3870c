package main

import (
	"errors"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   int
	}{
		"regions know their addresses": {`test "$NETLAB_ADDR_A" = 10.77.0.10 && test "$NETLAB_ADDR_B_2" = 10.77.1.10`, 0},
		"in the first region":          {`ip -brief addr show dev lo | grep -q " $NETLAB_ADDR_A/"`, 0},
		"others can be entered":        {`nsenter --net="$NETLAB_NS_B_2" ip -brief addr show dev lo | grep -q " $NETLAB_ADDR_B_2/"`, 0},
		"the status is passed on":      {"exit 7", 7},
		"and the signal":               {"kill -9 $$", 137},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(t.Context(), []string{"run", "--regions", "a,b-2", "--rtt", "1ms", "--", "sh", "-c", c.script}, &out)
			var exit exitError
			if errors.As(err, &exit); int(exit) != c.want || (c.want == 0) != (err == nil) {
				t.Errorf("got %v, want status %d\n%s", err, c.want, out.String())
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args, says string
	}{
		"nothing":        {"", "usage:"},
		"another verb":   {"walk", "usage:"},
		"unknown flag":   {"run --speed 3", "speed"},
		"no region":      {"run -- true", "region"},
		"no command":     {"run --regions a", "no command"},
		"another region": {"run --regions a,b --in c -- true", `"c" is not one of a, b`},
		"one variable":   {"run --regions a-b,a.b -- true", "A_B"},
		"a region twice": {"run --regions a,a -- true", "twice"},
		"negative":       {"run --regions a --rtt -1s -- true", "round trip"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(t.Context(), strings.Fields(c.args), &out)
			if !errors.Is(err, errUsage) || !strings.Contains(out.String(), c.says) {
				t.Errorf("got %v and %q, want wrong usage and %q", err, out.String(), c.says)
			}
		})
	}
	for _, command := range []string{"no-such-command", "/no/such/command"} {
		if err := run(t.Context(), strings.Fields("run --regions a -- "+command), &strings.Builder{}); !errors.Is(err, errNoCommand) {
			t.Errorf("%s: %v, want %v", command, err, errNoCommand)
		}
	}
}
