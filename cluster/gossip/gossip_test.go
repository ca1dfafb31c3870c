package gossip

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

func start(t *testing.T, name string, key byte, fatal func(error)) (*Gossip, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if fatal == nil {
		fatal = func(err error) { t.Errorf("fatal: %v", err) }
	}
	g, err := Start(Options{Node: name, Cluster: "c1", Bind: addr, Advertise: addr, Key: bytes.Repeat([]byte{key}, 32),
		Meta: Meta{Region: "r-" + name, Address: "addr-" + name}, Output: io.Discard, OnFatal: fatal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Stop() })
	return g, addr
}

// eventually waits for a condition, bounded by the test's own time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not come", what)
		}
	}
}

func TestMembersLearnOfEachOther(t *testing.T) {
	a, _ := start(t, "a", 1, nil)
	b, addr := start(t, "b", 1, nil)
	if err := a.Join(t.Context(), []string{addr}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b at a", func() bool { return a.State("b") == IsAlive })
	eventually(t, "a at b", func() bool { return b.State("a") == IsAlive })
	if m := a.Members(); len(m) != 2 || m[1].Meta.Address != "addr-b" || m[1].Meta.Region != "r-b" {
		t.Fatalf("members %+v", m)
	}
	if got := a.State("nobody"); got != IsUnknown {
		t.Fatalf("state of nobody is %s", got)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b's leave at a", func() bool { return a.State("b") == IsDead })
}

func TestWrongKeyIsRefused(t *testing.T) {
	a, _ := start(t, "a", 1, nil)
	_, addr := start(t, "b", 2, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := a.Join(ctx, []string{addr}); err == nil {
		t.Fatal("a member with another key was let in")
	}
	if a.State("b") != IsUnknown {
		t.Fatal("a has heard of b")
	}
}

func TestSecondNodeOfANameIsFatal(t *testing.T) {
	told := make(chan error, 16)
	fatal := func(err error) {
		select {
		case told <- err:
		default:
		}
	}
	a, _ := start(t, "a", 1, fatal)
	_, addr := start(t, "a", 1, fatal)
	_ = a.Join(t.Context(), []string{addr}) // it may succeed: that is the trap
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody noticed")
	}
}
