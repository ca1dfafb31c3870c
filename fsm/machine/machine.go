package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/internal/digest"
)

// RequestLife is how long a request id is remembered, in state time (M2).
const RequestLife = 24 * time.Hour

// MaxRequests bounds the remembered requests; above it commands with a request id get ErrLimit until some are forgotten.
const MaxRequests = 1 << 20

// Machine is the replicated state machine. Apply and Restore are called by one goroutine; all else by any.
type Machine struct {
	mu     sync.RWMutex // guards the fields below; never held while a command is applied
	state  *state.State
	hashes hashes
	fatal  *command.FatalError // set: nothing is applied any more
}

// New returns a machine with an empty state.
func New() *Machine { return &Machine{state: state.New()} }

// View returns the state as it is now.
func (m *Machine) View() *state.View { return m.current().View() }

// Watched returns the state as it is now, and a Watch that wakes when something read through that view changes.
func (m *Machine) Watched() (*state.View, *state.Watch) { return m.View().Watched() }

// Applied returns the index and the term of the last entry applied.
func (m *Machine) Applied() (index, term uint64) {
	meta := m.View().Meta()
	return meta.Index, meta.Term
}

// WaitApplied blocks until an entry of at least index is applied, or ctx ends. Entries that are no commands
// don't come here: wait only for the index of a command.
func (m *Machine) WaitApplied(ctx context.Context, index uint64) error {
	for {
		v := m.View()
		if v.Index() >= index {
			return nil
		}
		select {
		case <-v.Changed():
		case <-v.Replaced():
		case <-ctx.Done():
			return fmt.Errorf("wait for index %d: %w", index, context.Cause(ctx))
		}
	}
}

// Hash returns the state's hash (M3) and the index that it belongs to.
func (m *Machine) Hash() (index uint64, hash digest.Digest) {
	v := m.View()
	return v.Index(), v.Hash()
}

// HashAt returns the state's hash at a multiple of HashInterval, for the latest few that this machine passed.
func (m *Machine) HashAt(index uint64) (digest.Digest, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.hashes.at(index)
}

// LatestHash returns the newest index that HashAt knows, and its hash.
func (m *Machine) LatestHash() (index uint64, hash digest.Digest, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.hashes.latest()
}

func (m *Machine) current() *state.State {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.state
}

var errOrder = errors.New("the entry is not after the last one")

// Apply applies one entry of the log and returns a command.Result; or, where that is impossible, a
// *command.FatalError: then the index has not moved, nothing more is applied and the process must stop (M4).
func (m *Machine) Apply(index, term uint64, data []byte) any {
	m.mu.RLock()
	st, fatal := m.state, m.fatal
	m.mu.RUnlock()
	if fatal != nil {
		return fatal
	}
	before := st.View()
	if index <= before.Index() {
		return m.stop(index, fmt.Errorf("%w: %d after %d", errOrder, index, before.Index()))
	}
	e, err := command.Decode(data)
	if err != nil {
		return m.stop(index, err)
	}
	r, err := apply(st, index, term, e)
	if err != nil {
		return m.stop(index, err)
	}
	after := st.View()
	m.mu.Lock()
	m.hashes.passed(before, after)
	m.mu.Unlock()
	return r
}

func (m *Machine) stop(index uint64, err error) *command.FatalError {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fatal = &command.FatalError{Index: index, Err: err}
	return m.fatal
}

// Snapshot is the state at one index, to be written aside while the machine goes on.
type Snapshot struct{ view *state.View }

// Snapshot takes a pointer to the state as it is now, in constant time.
func (m *Machine) Snapshot() *Snapshot { return &Snapshot{m.View()} }

// Index returns the index of the last entry in the snapshot.
func (s *Snapshot) Index() uint64 { return s.view.Index() }

// Write writes the snapshot. Equal states give equal bytes.
func (s *Snapshot) Write(w io.Writer) error { return s.view.Write(w) }

// Release lets the state go.
func (s *Snapshot) Release() { s.view = nil }

// Restore replaces the state by a snapshot, verified as a whole before anything changes (M7); who watched the old
// state is woken. On an error the old state stays.
func (m *Machine) Restore(r io.Reader) error {
	next, err := state.Read(r)
	if err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	m.mu.Lock()
	old := m.state
	m.state, m.fatal, m.hashes = next, nil, hashes{}
	m.mu.Unlock()
	old.Abandon()
	return nil
}
