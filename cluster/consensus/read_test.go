package consensus

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// history knows the highest index whose write was acknowledged.
type history struct {
	mu     sync.Mutex
	acked  uint64
	writes int
	reads  int
	failed int
}

func (h *history) last() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked
}

func (h *history) wrote(i uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked = max(h.acked, i)
	h.writes++
}

func (h *history) read(ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok {
		h.reads++
	} else {
		h.failed++
	}
}

// TestReadsAreNeverStale lets every node write and read for a minute while links are cut and healed
// at random: whatever a node believes of itself, a read that succeeds has seen all writes that were
// acknowledged before it began (M1).
func TestReadsAreNeverStale(t *testing.T) {
	var all history
	for _, seed := range seeds(t, 15) {
		synctest.Test(t, func(t *testing.T) {
			h := partitionedReads(t, seed)
			all.writes, all.reads, all.failed = all.writes+h.writes, all.reads+h.reads, all.failed+h.failed
		})
	}
	t.Logf("%d writes, %d reads, %d reads refused", all.writes, all.reads, all.failed)
	if all.writes == 0 || all.reads == 0 || all.failed == 0 {
		t.Error("the test has not tried what it is for")
	}
}

func partitionedReads(t *testing.T, seed uint64) *history {
	l := newLab(t, seed, 3)
	h := &history{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var work sync.WaitGroup
	for i, m := range l.all {
		work.Go(func() { l.writeFor(ctx, m, h, rand.New(rand.NewPCG(seed, uint64(i)))) })
		for j := range 3 {
			work.Go(func() { l.readFor(ctx, m, h, rand.New(rand.NewPCG(seed, uint64(10+10*i+j)))) })
		}
	}
	work.Go(func() { l.disturb(ctx, rand.New(rand.NewPCG(seed, 100))) })
	work.Wait()
	l.net.HealAll()
	l.equal()
	return h
}

func (l *lab) writeFor(ctx context.Context, m *member, h *history, r *rand.Rand) {
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
		if _, i, err := m.Propose(bounded, []byte(m.id)); err == nil {
			h.wrote(i)
		}
		cancel()
		pause(time.Duration(r.Int64N(int64(200 * time.Millisecond))))
	}
}

func (l *lab) readFor(ctx context.Context, m *member, h *history, r *rand.Rand) {
	for ctx.Err() == nil {
		before := h.last()
		bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
		i, err := m.ReadIndex(bounded, m.ask)
		cancel()
		h.read(err == nil)
		if err == nil && i < before {
			l.t.Errorf("seed %d: node %s: a read gave index %d after the write at %d was acknowledged", l.seed, m.id, i, before)
		}
		pause(time.Duration(r.Int64N(int64(100 * time.Millisecond))))
	}
}

// disturb cuts one thing at a time. The worst case for reads is a leader that is cut off while it hands
// over: the next one is elected before its lease has run out.
func (l *lab) disturb(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		pause(time.Duration(r.Int64N(int64(4 * time.Second))))
		l.net.HealAll()
		a, b := l.names[r.IntN(len(l.names))], l.names[r.IntN(len(l.names))]
		m := l.leader()
		switch r.IntN(5) {
		case 0:
			l.net.Cut(a, b)
		case 1:
			l.net.Isolate(a)
		case 2:
			if m != nil {
				l.net.Isolate(m.id)
			}
		case 3:
			if m != nil {
				bounded, cancel := context.WithTimeout(ctx, time.Duration(r.Int64N(int64(2*rtt))))
				_ = m.TransferLeadership(bounded) // goes on after we have stopped waiting
				cancel()
				l.net.Isolate(m.id)
			}
		}
	}
}

func TestReadOnALeaderThatIsCutOffFailsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 3)
		old := l.leader()
		if _, err := old.ReadIndex(t.Context(), old.ask); err != nil {
			t.Fatal(err)
		}
		l.net.Isolate(old.id)
		start := time.Now()
		_, err := old.ReadIndex(t.Context(), old.ask)
		if !errors.Is(err, ErrNotLeader) {
			t.Errorf("ReadIndex: %v, want ErrNotLeader", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v to refuse, want about the lease's 400 ms", took)
		}
		for _, m := range l.all {
			if m != old {
				if _, err := m.ReadIndex(t.Context(), m.ask); !errors.Is(err, ErrNotLeader) {
					t.Errorf("follower %s: %v", m.id, err)
				}
			}
		}
	})
}

func TestReadersShareARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 3)
		m := l.leader()
		asked := make(chan string, 1000)
		ask := func(ctx context.Context, id string) (uint64, error) {
			asked <- id
			return m.ask(ctx, id)
		}
		want := l.write("seen")
		var work sync.WaitGroup
		for range 200 {
			work.Go(func() {
				if i, err := m.ReadIndex(t.Context(), ask); err != nil || i != want {
					t.Errorf("ReadIndex = %d, %v, want %d", i, err, want)
				}
			})
		}
		work.Wait()
		if n := len(asked); n > 8 {
			t.Errorf("200 readers asked %d times, want a few rounds", n)
		}
	})
}

// TestReadIndexIsACommand holds that whoever waits for the index waits for something a machine sees.
func TestReadIndexIsACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 3)
		want := l.write("last")
		if err := l.leader().TransferLeadership(t.Context()); err != nil { // more entries of raft's own
			t.Fatal(err)
		}
		var got uint64
		l.until("a read", func() bool {
			m := l.leader()
			if m == nil {
				return false
			}
			i, err := m.ReadIndex(t.Context(), m.ask)
			got = i
			return err == nil
		})
		if got != want {
			t.Errorf("ReadIndex = %d, want the last command, %d", got, want)
		}
	})
}
