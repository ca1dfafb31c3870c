package state

import (
	"fmt"
	"time"

	"github.com/hashicorp/go-memdb"

	"loggia/internal/digest"
)

// Meta is what the state knows of itself. It changes with every entry, in the same step as the rows.
type Meta struct {
	Index    uint64    // applied
	Term     uint64    // of that entry
	Time     time.Time // largest time of any command: never goes backwards
	Sum      sum
	Requests int // rows of remembered requests
}

// State is one instance of the replicated state. It is safe for many readers beside one writer.
type State struct {
	db        *memdb.MemDB
	abandoned chan struct{}
}

// New returns an empty state.
func New() *State {
	db, err := memdb.NewMemDB(schema())
	if err != nil {
		panic(err) // the schema is a constant; every test builds it
	}
	s := &State{db: db, abandoned: make(chan struct{})}
	txn := db.Txn(true)
	if err := txn.Insert(metaTable, &Meta{Time: time.Unix(0, 0).UTC()}); err != nil {
		panic(err) // as above
	}
	txn.Commit()
	return s
}

// Abandon wakes all who watch this state, because another one has taken its place. Call it once.
func (s *State) Abandon() { close(s.abandoned) }

// View returns a view of the state as it is now; it stays as it is while the state moves on.
func (s *State) View() *View { return &View{txn: s.db.Txn(false), abandoned: s.abandoned} }

// Begin starts the writing of entry index. Only one write is open at a time; end it with Commit or Abort.
func (s *State) Begin(index, term uint64, at time.Time) *Tx {
	v := &View{txn: s.db.Txn(true), abandoned: s.abandoned}
	meta := *v.Meta()
	meta.Index, meta.Term = index, term
	if at.After(meta.Time) {
		meta.Time = at.UTC()
	}
	return &Tx{View: v, meta: meta}
}

// Tx is the writing of one entry: a view that sees its own writes.
type Tx struct {
	*View
	meta Meta
	err  error
}

// Index returns the index of the entry being applied.
func (tx *Tx) Index() uint64 { return tx.meta.Index }

// Now returns the state's time, the entry's time taken in.
func (tx *Tx) Now() time.Time { return tx.meta.Time }

// Abort drops all that was written.
func (tx *Tx) Abort() { tx.txn.Abort() }

// Commit makes the writes and the applied index visible in one step. An error means that a row could
// not be encoded or indexed: nothing was committed and the process must stop (M4).
func (tx *Tx) Commit() error {
	if tx.err == nil {
		tx.err = tx.txn.Insert(metaTable, &tx.meta)
	}
	if tx.err != nil {
		tx.txn.Abort()
		return fmt.Errorf("write entry %d: %w", tx.meta.Index, tx.err)
	}
	tx.txn.Commit()
	return nil
}

// Hash returns the state's hash as the writes so far make it.
func (tx *Tx) Hash() digest.Digest { return tx.meta.digest() }

// Put adds a row or takes the place of the one with its key. The row must not be changed afterwards.
func Put[T Row](tx *Tx, row *T) {
	t := tableOf[T]()
	account(tx, t, find(tx.View, t, t.key(row)), row)
	tx.fail(tx.txn.Insert(t.name, row))
}

// Delete removes the row with row's key, if it is there.
func Delete[T Row](tx *Tx, row *T) {
	t := tableOf[T]()
	old := find(tx.View, t, t.key(row))
	if old == nil {
		return
	}
	account(tx, t, old, nil)
	tx.fail(tx.txn.Delete(t.name, old))
}

// account keeps the sum and the count of requests while old gives way to row; nil stands for none.
func account[T Row](tx *Tx, t *table[T], old, row *T) {
	for _, x := range []struct {
		row   *T
		sum   func(*sum, digest.Digest)
		count int
	}{{old, (*sum).sub, -1}, {row, (*sum).add, 1}} {
		if x.row == nil {
			continue
		}
		h, err := rowHash(t.name, x.row)
		tx.fail(err)
		x.sum(&tx.meta.Sum, h)
		if t.name == requests.name {
			tx.meta.Requests += x.count
		}
	}
}

// fail keeps the first error for Commit.
func (tx *Tx) fail(err error) {
	if tx.err == nil {
		tx.err = err
	}
}
