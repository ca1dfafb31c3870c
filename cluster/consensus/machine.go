package consensus

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/hashicorp/raft"
)

// fsm fits a Machine to raft. Once an entry could not be applied, or a snapshot not be taken in,
// nothing more is (M4, M7): raft would go on with the next.
type fsm struct {
	m      Machine
	fatal  func(error)
	failed error // raft calls all that touches it from one goroutine
}

// Apply implements raft.FSM.
func (f *fsm) Apply(l *raft.Log) (result any) {
	if f.failed != nil {
		return stopped{f.failed}
	}
	defer func() {
		if p := recover(); p != nil {
			result = f.stop(fmt.Errorf("apply entry %d: panic: %v\n%s", l.Index, p, debug.Stack()))
		}
	}()
	v := f.m.Apply(l.Index, l.Term, l.Data)
	if isFatal(v) {
		err, _ := v.(error)
		return f.stop(fmt.Errorf("apply entry %d: %w", l.Index, err))
	}
	return v
}

func (f *fsm) stop(err error) stopped {
	f.failed = err
	f.fatal(err)
	return stopped{err}
}

// stopped is the result of an entry that was not applied.
type stopped struct{ error }

// Fatal marks it.
func (stopped) Fatal() bool { return true }

func isFatal(v any) bool {
	bad, ok := v.(interface{ Fatal() bool })
	return ok && bad.Fatal()
}

// Snapshot implements raft.FSM.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	s, err := f.m.Snapshot()
	if err != nil {
		return nil, err
	}
	return snapshot{s}, nil
}

// Restore implements raft.FSM. After a snapshot that the machine refuses raft would try an older one
// and then miss entries.
func (f *fsm) Restore(r io.ReadCloser) error {
	defer r.Close()
	if f.failed != nil {
		return f.failed
	}
	if err := f.m.Restore(r); err != nil {
		return f.stop(fmt.Errorf("restore snapshot: %w", err)).error
	}
	return nil
}

type snapshot struct{ s Snapshot }

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.s.Write(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (s snapshot) Release() { s.s.Release() }
