package simnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const rtt = 100 * time.Millisecond

// pair connects a with b.
func pair(t *testing.T, n *Network) (a, b net.Conn) {
	t.Helper()
	ha, hb := n.Host("a"), n.Host("b")
	l, err := hb.Listen("x")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	start := time.Now()
	if a, err = ha.Dial(t.Context(), "b:x"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 180*time.Millisecond || took > 220*time.Millisecond {
		t.Errorf("connecting took %v, want about two round trips", took)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got, err, want)
	}
}

func TestBytesTakeTheirTimeAndKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, New(1, rtt))
		start := time.Now()
		send(t, a, "one ")
		send(t, a, "two")
		expect(t, b, "one two")
		if took := time.Since(start); took < 45*time.Millisecond || took > 55*time.Millisecond {
			t.Errorf("took %v, want about half a round trip", took)
		}
		a.Close()
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the other side has closed: %v, want EOF", err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
	})
}

func TestCutLinkHoldsStreamsUntilItHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, rtt)
		a, b := pair(t, n)
		send(t, a, "in flight ")
		time.Sleep(10 * time.Millisecond)
		n.Cut("a", "b")
		send(t, a, "sent while cut")
		_ = b.SetReadDeadline(time.Now().Add(time.Hour))
		if k, err := b.Read(make([]byte, 1)); k != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("over a cut link came %d bytes, %v", k, err)
		}
		_ = b.SetReadDeadline(time.Time{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := n.host("a").Dial(ctx, "b:x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial over a cut link: %v", err)
		}
		n.HealAll()
		expect(t, b, "in flight sent while cut")
	})
}

func TestWriterWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, New(1, rtt))
		_ = a.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := a.Write(make([]byte, window+1))
		if n != window || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v", n, err)
		}
		_ = a.SetWriteDeadline(time.Time{})
		if _, err := io.ReadFull(b, make([]byte, window)); err != nil {
			t.Fatal(err)
		}
		send(t, a, "again")
		expect(t, b, "again")
	})
}

func TestNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, rtt)
		h := n.Host("a")
		n.Host("b")
		if _, err := h.Dial(t.Context(), "b:x"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
	})
}

func TestPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, rtt)
		a, in := n.Host("a"), n.Host("b").Packets("x")
		a.Send("b:x", []byte("hello"))
		if p := <-in; p.From != "a" || string(p.Data) != "hello" {
			t.Fatalf("got %+v", p)
		}
		n.Partition([]string{"a"}, []string{"b"})
		a.Send("b:x", []byte("lost"))
		n.HealAll()
		n.Lose(1)
		a.Send("b:x", []byte("lost"))
		time.Sleep(time.Second)
		select {
		case p := <-in:
			t.Fatalf("got %+v", p)
		default:
		}
	})
}
