package consensus

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
)

func TestNodesComeBackWithWhatTheyHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLabIn(t, t.TempDir(), 1, 3)
		for i := range 20 {
			l.write(fmt.Sprint("entry ", i))
		}
		if err := l.all[1].raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		l.write("after the snapshot")
		l.settle()
		want := fmt.Sprint(l.all[0].m.all())
		for _, m := range l.all {
			m.end(t)
		}
		for _, m := range l.all {
			l.start(m)
			if has, err := m.HasState(); err != nil || !has {
				t.Errorf("node %s: HasState = %v, %v", m.id, has, err)
			}
		}
		l.until("the state of before", func() bool {
			for _, m := range l.all {
				if fmt.Sprint(m.m.all()) != want {
					return false
				}
			}
			return true
		})
		l.write("and it goes on")
		l.equal()
	})
}

func TestNodeThatIsFarBehindGetsASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLabIn(t, t.TempDir(), 1, 3)
		late := l.all[0]
		if l.leader() == late {
			if err := late.TransferLeadership(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		late.end(t)
		for i := range 30 {
			l.write(fmt.Sprint("entry ", i), late)
		}
		for _, m := range l.all[1:] {
			err := m.raft.ReloadConfig(raft.ReloadableConfig{TrailingLogs: 1, SnapshotThreshold: 1, SnapshotInterval: snapshotEvery,
				HeartbeatTimeout: 10 * rtt, ElectionTimeout: 10 * rtt})
			if err != nil {
				t.Fatal(err)
			}
			l.until("a snapshot", func() bool { return m.raft.Snapshot().Error() == nil })
		}
		l.start(late)
		l.equal()
		list, err := late.stores.snapshots.List()
		if err != nil || len(list) == 0 {
			t.Errorf("the node that was behind has snapshots %v, %v", list, err)
		}
		late.end(t)
		l.start(late)
		l.equal()
	})
}

func TestBootstrapIsDoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 1)
		if err := l.all[0].Bootstrap(); !errors.Is(err, raft.ErrCantBootstrap) {
			t.Errorf("the second time: %v", err)
		}
	})
}

// broken is a machine that cannot go on.
type broken struct {
	ledger
	apply   func() any
	restore error
	calls   int
}

func (b *broken) Apply(_, _ uint64, _ []byte) any { b.calls++; return b.apply() }
func (b *broken) Restore(io.Reader) error         { b.calls++; return b.restore }

type fatalResult struct{ error }

func (fatalResult) Fatal() bool { return true }

// TestMachineThatCannotApplyStopsTheNode holds M4: the next entry is not applied either.
func TestMachineThatCannotApplyStopsTheNode(t *testing.T) {
	for name, apply := range map[string]func() any{
		"a fatal result": func() any { return fatalResult{errTest} },
		"a panic":        func() any { panic(errTest) },
	} {
		var end fatals
		m := &broken{apply: apply}
		f := &fsm{m: m, fatal: end.add}
		for i := range uint64(3) {
			if v := f.Apply(entry(i + 1)); !isFatal(v) {
				t.Errorf("%s: entry %d gave %v", name, i+1, v)
			}
		}
		if m.calls != 1 || len(end.errs) != 1 {
			t.Errorf("%s: the machine was called %d times, the node told %v", name, m.calls, end.errs)
		}
		if _, err := f.Snapshot(); err == nil {
			t.Errorf("%s: a snapshot was taken", name)
		}
	}
}

// TestRefusedSnapshotIsFatal holds M7: no older one is tried in its place.
func TestRefusedSnapshotIsFatal(t *testing.T) {
	var end fatals
	m := &broken{restore: errTest}
	f := &fsm{m: m, fatal: end.add}
	for range 2 {
		if err := f.Restore(io.NopCloser(nil)); !errors.Is(err, errTest) {
			t.Errorf("Restore: %v", err)
		}
	}
	if m.calls != 1 {
		t.Errorf("the machine was asked %d times", m.calls)
	}
	end.expect(t, errTest)
}
