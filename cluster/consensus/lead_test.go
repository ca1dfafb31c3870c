package consensus

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// duty notes when it runs, on all nodes together.
type duty struct {
	mu      sync.Mutex
	running []string
	begun   []string
}

func (d *duty) run(id string, body func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		d.mu.Lock()
		d.running, d.begun = append(d.running, id), append(d.begun, id)
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			d.running = slices.DeleteFunc(d.running, func(s string) bool { return s == id })
			d.mu.Unlock()
		}()
		return body(ctx)
	}
}

func (d *duty) look() (running, begun []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.running), slices.Clone(d.begun)
}

func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// lead runs duties on all nodes until the test ends.
func (l *lab) lead(d *duty, body func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for _, m := range l.all {
		work.Go(func() {
			if err := m.Lead(ctx, d.run(m.id, body)); err != nil {
				l.t.Errorf("Lead: %v", err)
			}
		})
	}
	l.t.Cleanup(func() { cancel(); work.Wait() })
}

func TestLeadingIsAScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 3)
		var d duty
		l.lead(&d, untilEnd)
		old := l.leader()
		l.until("duties", func() bool { r, _ := d.look(); return slices.Equal(r, []string{old.id}) })
		l.net.Isolate(old.id)
		l.write("after", old)
		next := l.leader(old)
		l.until("duties of the next leader", func() bool { r, _ := d.look(); return slices.Equal(r, []string{next.id}) })
		l.net.HealAll()
		l.settle()
		if r, b := d.look(); !slices.Equal(r, []string{next.id}) || !slices.Equal(b, []string{old.id, next.id}) {
			t.Errorf("duties run on %v, begun on %v", r, b)
		}
	})
}

func TestDutiesThatFailHandLeadershipOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 3)
		old := l.leader()
		var d duty
		var once sync.Once
		l.lead(&d, func(ctx context.Context) (err error) {
			once.Do(func() { err = errTest })
			if err == nil {
				err = untilEnd(ctx)
			}
			return err
		})
		l.until("another leader's duties", func() bool { r, _ := d.look(); return len(r) == 1 && r[0] != old.id })
	})
}

func TestDutiesOfALoneNodeAreBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 1)
		var d duty
		times := 0 // one at a time: the next scope begins when the last has ended
		l.lead(&d, func(ctx context.Context) error {
			if times++; times < 3 {
				return errTest
			}
			return untilEnd(ctx)
		})
		l.until("the third time", func() bool { r, b := d.look(); return len(r) == 1 && len(b) == 3 })
	})
}

func TestProposeSaysWhatBecameOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 3)
		m := l.leader()
		if _, _, err := m.Propose(t.Context(), make([]byte, MaxCommand+1)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a large command: %v", err)
		}
		if _, _, err := m.Propose(t.Context(), make([]byte, MaxCommand)); err != nil {
			t.Errorf("the largest command: %v", err)
		}
		for _, f := range l.all {
			if f != m {
				if _, _, err := f.Propose(t.Context(), []byte("x")); !errors.Is(err, ErrNotLeader) {
					t.Errorf("on a follower: %v", err)
				}
				if id, err := f.WaitLeader(t.Context()); err != nil || id != m.id {
					t.Errorf("WaitLeader = %q, %v", id, err)
				}
				if id, addr, ok := f.Leader(); !ok || id != m.id || addr != m.id+":raft" {
					t.Errorf("Leader = %q, %q, %v", id, addr, ok)
				}
			}
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := m.Propose(over, []byte("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that is over: %v", err)
		}
		l.net.Isolate(m.id)
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, _, err := m.Propose(short, []byte("x")); !errors.Is(err, ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while cut off, for a moment: %v", err)
		}
		if _, _, err := m.Propose(t.Context(), []byte("x")); !errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("while cut off: %v", err)
		}
	})
}

func TestLeaseMustCoverTheDistance(t *testing.T) {
	for _, d := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		_, err := Open(t.Context(), Options{NodeID: "a", RTT: d, Transport: nowhere, Machine: newLedger(), Logger: discard})
		if !errors.Is(err, errTest) { // the timings were accepted
			t.Errorf("rtt %v: %v", d, err)
		}
	}
}
