package backoff

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestCeilingDoublesAndStops(t *testing.T) {
	p := Policy{Base: time.Second, Max: 10 * time.Second}
	want := []time.Duration{1, 2, 4, 8, 10, 10}
	for n, w := range want {
		if got := p.Ceiling(n); got != w*time.Second {
			t.Errorf("ceiling %d: got %v, want %v", n, got, w*time.Second)
		}
	}
	if got := (Policy{Base: 1, Max: 1 << 62}).Ceiling(1000); got != 1<<62 {
		t.Errorf("got %v, want the maximum without overflow", got)
	}
}

func TestNextDrawsBelowTheCeiling(t *testing.T) {
	b := New(Policy{Base: time.Second, Max: 4 * time.Second}, func() float64 { return 0.5 })
	for n, want := range []time.Duration{500, 1000, 2000, 2000} {
		if got := b.Next(); got != want*time.Millisecond {
			t.Errorf("wait %d: got %v, want %v", n, got, want*time.Millisecond)
		}
	}
	if b.Attempts() != 4 {
		t.Errorf("attempts %d, want 4", b.Attempts())
	}
	b.Reset()
	if got := b.Next(); got != 500*time.Millisecond {
		t.Errorf("after reset: got %v, want 500ms", got)
	}
	standard := New(Policy{Base: time.Second, Max: time.Second}, nil)
	for range 1000 {
		if d := standard.Next(); d < 0 || d >= time.Second {
			t.Fatalf("wait %v outside [0s, 1s)", d)
		}
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Policy{Base: time.Hour, Max: time.Hour}, func() float64 { return 0.999 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := b.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want deadline exceeded", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Fatalf("waited %v, want 1s", d)
		}
		if err := Sleep(ctx, 0); err == nil {
			t.Fatal("a wait of nothing ignores the ended context")
		}
		start = time.Now()
		if err := b.Wait(t.Context()); err != nil || time.Since(start) < 59*time.Minute {
			t.Fatalf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestValidate(t *testing.T) {
	for _, p := range []Policy{{}, {Base: 2, Max: 1}, {Base: -1, Max: 1}} {
		if p.Validate() == nil {
			t.Errorf("%+v accepted", p)
		}
	}
	if err := (Policy{Base: 1, Max: 1}).Validate(); err != nil {
		t.Error(err)
	}
}
