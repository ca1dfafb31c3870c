package buffer

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func get(t *testing.T, p *Pool, n int) *Buffer {
	t.Helper()
	b, err := p.Get(context.Background(), n)
	if err != nil || len(b.Bytes()) != n || cap(b.Bytes()) != n {
		t.Fatalf("Get(%d) = %d bytes, %v", n, len(b.Bytes()), err)
	}
	return b
}

func TestBlocksOverBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1 << 20)
		first := get(t, p, 1<<20)
		var second *Buffer
		done := make(chan struct{})
		go func() { defer close(done); second = get(t, p, 1<<20) }()
		synctest.Wait()
		if second != nil {
			t.Fatal("lent beyond the budget")
		}
		first.Release()
		<-done
		second.Release()
		if p.Lent() != 0 {
			t.Fatalf("%d bytes are lent at the end", p.Lent())
		}
	})
}

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1 << 20)
		held := get(t, p, 512<<10)
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		ask := func(name string, n int) {
			wg.Go(func() {
				b := get(t, p, n)
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				b.Release()
			})
			synctest.Wait()
		}
		ask("large", 1<<20)
		ask("small", 4<<10) // would fit now, but came later
		if len(order) != 0 {
			t.Fatalf("served %v while the large one waits", order)
		}
		held.Release()
		wg.Wait()
		if len(order) != 2 || order[0] != "large" {
			t.Fatalf("served %v", order)
		}
	})
}

func TestCancelledWaiterLetsOthersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1 << 20)
		held := get(t, p, 512<<10)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		large := make(chan error, 1)
		go func() { _, err := p.Get(ctx, 1<<20); large <- err }()
		synctest.Wait()
		small := make(chan *Buffer, 1)
		go func() { small <- get(t, p, 4<<10) }()
		synctest.Wait()
		if len(small) != 0 {
			t.Fatal("the small one overtook")
		}
		if err := <-large; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want the context's", err)
		}
		(<-small).Release()
		held.Release()
		if p.Lent() != 0 || p.waiters.Len() != 0 {
			t.Fatalf("%d bytes lent, %d waiters", p.Lent(), p.waiters.Len())
		}
	})
}

func TestRefused(t *testing.T) {
	p := New(1 << 20)
	for _, n := range []int{-1, 1<<20 + 1, 1 << 40} {
		if _, err := p.Get(context.Background(), n); !errors.Is(err, ErrTooLarge) {
			t.Errorf("Get(%d): error %v, want ErrTooLarge", n, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Get(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: error %v", err)
	}
	b := get(t, p, 0)
	b.Release()
	defer func() {
		if recover() == nil {
			t.Error("second Release did not panic")
		}
	}()
	b.Release()
}

// A budget that is no class is lent as a whole all the same.
func TestOddBudget(t *testing.T) {
	p := New(1<<20 + 4097)
	for range 2 {
		b := get(t, p, 1<<20+4097)
		if p.Lent() != p.Budget() {
			t.Fatalf("%d lent of %d", p.Lent(), p.Budget())
		}
		b.Release()
	}
}

func TestClassWaste(t *testing.T) {
	for n := 1; n < 16<<20; n += 1 + n/100 {
		if c := class(n); c < n || n >= minClass && c-n > n/4 || class(c) != c {
			t.Fatalf("class(%d) = %d, class of that %d", n, c, class(c))
		}
	}
}

// Idle buffers of one class make room for another: lent and idle together keep to the budget.
func TestManyOwners(t *testing.T) {
	const budget = 4 << 20
	p := New(budget)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range 500 {
				b := get(t, p, 1+r.IntN(1<<20))
				data := b.Bytes()
				data[0], data[len(data)-1] = byte(i), byte(i)
				p.mu.Lock()
				if p.lent+p.idle > budget {
					t.Errorf("%d lent, %d idle", p.lent, p.idle)
				}
				p.mu.Unlock()
				if data[0] != byte(i) || data[len(data)-1] != byte(i) {
					t.Error("somebody else writes to a lent buffer")
				}
				b.Release()
			}
		})
	}
	wg.Wait()
	if p.Lent() != 0 {
		t.Errorf("%d bytes are lent at the end", p.Lent())
	}
}

func BenchmarkGetRelease(b *testing.B) {
	p := New(0)
	b.ReportAllocs()
	for b.Loop() {
		buf, err := p.Get(context.Background(), 8<<20)
		if err != nil {
			b.Fatal(err)
		}
		buf.Release()
	}
}

// Requests of changing lengths do not make and drop a buffer each.
func TestLongerIdleBufferServes(t *testing.T) {
	p := New(8 << 20)
	long := get(t, p, 6<<20)
	first := &long.Bytes()[0]
	long.Release()
	short := get(t, p, 5<<20)
	if &short.Bytes()[0] != first {
		t.Error("the idle buffer was thrown away for a shorter one")
	}
	if n := p.Lent(); n != 6<<20 {
		t.Errorf("%d bytes are lent, want the whole buffer", n)
	}
	tiny := get(t, p, 4<<10) // not for what needs far less
	short.Release()
	less := get(t, p, 64<<10)
	if &less.Bytes()[0] == first {
		t.Error("6 MiB are lent for 64 KiB")
	}
	less.Release()
	tiny.Release()
	if n := p.Lent(); n != 0 {
		t.Errorf("%d bytes lent at the end", n)
	}
}

// TestExchange holds that memory changes hands and that the pool's sum does not.
func TestExchange(t *testing.T) {
	p := New(1 << 20)
	b := get(t, p, 5<<10)
	copy(b.Bytes(), "asked for")
	var spare []byte
	b.Exchange(&spare)
	if string(spare[:9]) != "asked for" || len(b.Bytes()) != 5<<10 {
		t.Fatalf("spare begins with %q, the buffer has %d bytes", spare[:9], len(b.Bytes()))
	}
	copy(b.Bytes(), "new")
	first := &spare[0]
	b.Exchange(&spare)
	if &b.Bytes()[0] != first || string(spare[:3]) != "new" {
		t.Fatal("what was spare is not lent again")
	}
	b.Release()
	large := get(t, p, 1<<20)
	large.Exchange(&spare)
	if len(spare) != 1<<20 {
		t.Fatalf("spare has %d bytes", len(spare))
	}
	large.Release()
	if p.Lent() != 0 {
		t.Fatalf("%d bytes are lent at the end", p.Lent())
	}
	get(t, p, 1<<20).Release() // all of it, again
}
