package pace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// load keeps a flow busy with streams until ctx ends, and counts what it got.
type load struct {
	*Flow
	got atomic.Int64
}

func (l *load) run(ctx context.Context, work *sync.WaitGroup, streams int) {
	for range streams {
		work.Go(func() {
			w := NewWriter(ctx, counter{&l.got}, l.Flow)
			frame := make([]byte, 512<<10)
			for ctx.Err() == nil {
				if _, err := w.Write(frame); err != nil {
					return
				}
				// A piece that goes for nothing would stop virtual time.
				if l.piece() == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
}

// wire is what the bytes so far are on an interface.
func (l *load) wire() float64 { return cost(int(l.got.Load())) }

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// during gives f a pacer, and loads that end with it. It is run in virtual time.
func during(f func(t *testing.T, p *Pacer, begin func(name string, c Class, streams int, path ...Key) *load)) func(*testing.T) {
	return func(t *testing.T) {
		p := New(nil)
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		f(t, p, func(name string, c Class, streams int, path ...Key) *load {
			l := &load{Flow: p.Flow(name, c, path...)}
			l.run(ctx, &work, streams)
			return l
		})
		cancel()
		work.Wait()
		if len(p.waiting) != 0 {
			t.Errorf("%d flows still wait", len(p.waiting))
		}
	}
}

// within fails where got is more than share of want away from it.
func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if got < want*(1-share) || got > want*(1+share) {
		t.Errorf("%s: %.0f, want %.0f within %.0f %%", what, got, want, share*100)
	}
}

// TestLimitHolds looks at every window of 10 s, in steps of 250 ms.
func TestLimitHolds(t *testing.T) {
	for _, rate := range []int64{64 << 10, 1_250_000, 12_500_000, 125_000_000} {
		for _, n := range []int{1, 2, 4, 8} {
			t.Run(fmt.Sprintf("%d transfers at %d", n, rate), func(t *testing.T) {
				synctest.Test(t, during(func(t *testing.T, p *Pacer, begin func(string, Class, int, ...Key) *load) {
					p.Set(map[Key]int64{"node": rate})
					var all []*load
					for i := range n {
						all = append(all, begin(fmt.Sprint(i), Class(i%3), 3, "node"))
					}
					var at []float64
					for range 80 {
						time.Sleep(250 * time.Millisecond)
						sum := 0.0
						for _, l := range all {
							sum += l.wire()
						}
						if at = append(at, sum); len(at) > 40 {
							within(t, "bytes in 10 s", sum-at[len(at)-41], float64(rate)*10, 0.05)
						}
					}
				}))
			})
		}
	}
}

func TestChangeWhileRunning(t *testing.T) {
	synctest.Test(t, during(func(t *testing.T, p *Pacer, begin func(string, Class, int, ...Key) *load) {
		l := begin("a", Normal, 4, "pair")
		time.Sleep(time.Second)
		for _, rate := range []int64{1_000_000, 20_000_000, 2_000_000} {
			p.Set(map[Key]int64{"pair": rate, "other": 1})
			before := l.wire()
			time.Sleep(time.Second)
			within(t, "the first second", l.wire()-before, float64(rate), 0.1)
			before = l.wire()
			time.Sleep(10 * time.Second)
			within(t, "the next ten", l.wire()-before, float64(rate)*10, 0.05)
		}
		p.Set(nil)
		synctest.Wait()
		if l.piece() != 0 {
			t.Error("the limit is still there")
		}
	}))
}

func TestNestedLimits(t *testing.T) {
	synctest.Test(t, during(func(t *testing.T, p *Pacer, begin func(string, Class, int, ...Key) *load) {
		p.Set(map[Key]int64{"node": 10_000_000, "slow": 1_000_000})
		slow, fast := begin("slow", High, 4, "node", "slow"), begin("fast", Low, 4, "node", "fast")
		time.Sleep(10 * time.Second)
		within(t, "behind the narrow limit", slow.wire(), 10_000_000, 0.05)
		within(t, "the rest", fast.wire(), 90_000_000, 0.05)
	}))
}

func TestFairness(t *testing.T) {
	synctest.Test(t, during(func(t *testing.T, p *Pacer, begin func(string, Class, int, ...Key) *load) {
		p.Set(map[Key]int64{"node": 12_500_000})
		one, twelve := begin("one", Normal, 1, "node"), begin("twelve", Normal, 12, "node")
		time.Sleep(10 * time.Second)
		late := begin("late", Normal, 3, "node")
		a, b := one.wire(), twelve.wire()
		within(t, "a transfer with one stream", a, 62_500_000, 0.1)
		within(t, "a transfer with twelve", b, 62_500_000, 0.1)
		time.Sleep(10 * time.Second)
		for name, got := range map[string]float64{"one": one.wire() - a, "twelve": twelve.wire() - b, "late": late.wire()} {
			within(t, name, got, 125_000_000/3, 0.1)
		}
	}))
}

func TestPriorities(t *testing.T) {
	synctest.Test(t, during(func(t *testing.T, p *Pacer, begin func(string, Class, int, ...Key) *load) {
		p.Set(map[Key]int64{"node": 10_000_000})
		low := begin("nightly", Low, 8, "node")
		time.Sleep(5 * time.Second)
		within(t, "alone", low.wire(), 50_000_000, 0.05)
		high := begin("waiting deployment", High, 2, "node")
		before := low.wire()
		time.Sleep(10 * time.Second)
		within(t, "the higher class", high.wire(), 95_000_000, 0.05)
		within(t, "the share of the lower", low.wire()-before, 5_000_000, 0.15)
		normal, before := begin("normal", Normal, 2, "node"), low.wire()
		was := high.wire()
		time.Sleep(10 * time.Second)
		within(t, "three classes: high", high.wire()-was, 90_000_000, 0.05)
		for name, got := range map[string]float64{"normal": normal.wire(), "low": low.wire() - before} {
			if got < 3_000_000 || got > 7_000_000 {
				t.Errorf("three classes: %s got %.0f of 100000000, want about a twentieth of the higher", name, got)
			}
		}
	}))
}

// TestCreditIsOfTheSharedLimit holds that bytes of a higher class elsewhere give a lower one nothing here.
func TestCreditIsOfTheSharedLimit(t *testing.T) {
	synctest.Test(t, during(func(t *testing.T, p *Pacer, begin func(string, Class, int, ...Key) *load) {
		p.Set(map[Key]int64{"a": 1_000_000, "b": 100_000_000})
		begin("elsewhere", High, 4, "b")
		low, high := begin("low", Low, 4, "a"), begin("high", High, 4, "a")
		time.Sleep(10 * time.Second)
		within(t, "low", low.wire(), 500_000, 0.15)
		within(t, "high", high.wire(), 9_500_000, 0.05)
	}))
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(nil)
		p.Set(map[Key]int64{"k": 1})
		f := p.Flow("f", Normal, "k")
		defer f.Close()
		if err := f.Wait(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.Wait(ctx, 100) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := f.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Fatal("a wait with an ended context:", err)
		}
		if len(p.waiting) != 0 {
			t.Error("a piece that nobody waits for is in the queue")
		}
		go func() { ended <- f.Wait(t.Context(), 1<<20) }()
		synctest.Wait()
		p.Set(nil)
		if err := <-ended; err != nil {
			t.Fatal("a limit that ends lets go what waits:", err)
		}
	})
}

// TestClockJumps holds that a clock that jumps neither stops a limit nor lifts it.
func TestClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := time.Now()
		var jump atomic.Int64
		p := New(func() time.Duration { return time.Since(base) + time.Duration(jump.Load()) })
		p.Set(map[Key]int64{"k": 1_000_000})
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		l := &load{Flow: p.Flow("f", Normal, "k")}
		l.run(ctx, &work, 4)
		for _, by := range []time.Duration{24 * time.Hour, -48 * time.Hour, time.Hour, -time.Minute} {
			before := l.wire()
			jump.Add(int64(by))
			time.Sleep(10 * time.Second)
			within(t, fmt.Sprintf("10 s after a jump by %s", by), l.wire()-before, 10_000_000, 0.05)
		}
		cancel()
		work.Wait()
	})
}

func TestActiveAndStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(nil)
		started := 0
		p.OnStart(func() { started++ })
		p.Set(map[Key]int64{"k": 1_000_000, "other": 5})
		f := p.Flow("f", Normal, "k", "no limit")
		defer f.Close()
		for range 3 {
			if err := f.Wait(t.Context(), 1000); err != nil {
				t.Fatal(err)
			}
		}
		if u := p.Used(); started != 1 || !u["k"].Active || u["k"].Sum != 3*cost(1000) || u["other"] != (Use{}) {
			t.Errorf("used %v, started %d times", u, started)
		}
		time.Sleep(3 * time.Second)
		if u := p.Used(); u["k"].Active || u["k"].Sum != 3*cost(1000) {
			t.Errorf("used %v after silence", u)
		}
		if err := f.Wait(t.Context(), 1); err != nil || started != 2 {
			t.Errorf("%v, started %d times", err, started)
		}
	})
}

func TestReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(nil)
		p.Set(map[Key]int64{"k": 1_000_000})
		f := p.Flow("f", Normal, "k")
		defer f.Close()
		data := bytes.Repeat([]byte("0123456789"), 500_000)
		began := time.Now()
		got, err := io.ReadAll(NewReader(t.Context(), bytes.NewReader(data), f))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatal("read something else", err)
		}
		within(t, "time", time.Since(began).Seconds(), 5*(1+overhead), 0.05)
	})
}

func TestSameFlow(t *testing.T) {
	p := New(nil)
	a, b, c := p.Flow("f", Normal, "k"), p.Flow("f", Normal, "k"), p.Flow("f", High, "k")
	if a != b || a == c {
		t.Error("a flow is its name, class and path")
	}
	a.Close()
	if p.Flow("f", Normal, "k") != b {
		t.Error("it ended while somebody used it")
	}
	for _, f := range []*Flow{b, b, c} {
		f.Close()
	}
	if len(p.flows) != 0 {
		t.Error("flows that nobody uses are kept")
	}
}

// BenchmarkUnlimited is the price of pacing where there is no limit, for a write of 256 KiB.
func BenchmarkUnlimited(b *testing.B) {
	p := New(nil)
	p.Set(map[Key]int64{"elsewhere": 1})
	f := p.Flow("f", Normal, "node", "region", "pair")
	w := NewWriter(context.Background(), io.Discard, f)
	buf := make([]byte, 256<<10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = w.Write(buf)
		}
	})
}

// BenchmarkLimited is the price of a piece under a limit that is never reached, with 24 other flows.
func BenchmarkLimited(b *testing.B) {
	p := New(nil)
	p.Set(map[Key]int64{"node": 1 << 40})
	f := p.Flow("f", Normal, "node", "region", "pair")
	b.ReportAllocs()
	for b.Loop() {
		_ = f.Wait(context.Background(), maxPiece)
	}
}
