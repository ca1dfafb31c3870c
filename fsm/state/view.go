package state

import (
	"context"
	"maps"
	"sync"

	"github.com/hashicorp/go-memdb"

	"loggia/internal/digest"
)

// View reads the state as it was at one index. It is safe for many goroutines. Rows that it returns are shared: copy before changing.
// A row that is not there is nil; lists are in the order of the keys.
type View struct {
	txn       *memdb.Txn
	abandoned <-chan struct{}
	watch     *Watch
}

// Watch gathers what a view has read, so that its owner can wait until any of that changes.
type Watch struct {
	mu        sync.Mutex
	set       memdb.WatchSet
	abandoned <-chan struct{}
}

// maxWatched bounds the channels of one watch; above it the watch wakes on any change of what it read last.
const maxWatched = 256

// Watched returns a view of the same state that notes everything read through it in the Watch.
func (v *View) Watched() (*View, *Watch) {
	w := &Watch{set: memdb.NewWatchSet(), abandoned: v.abandoned}
	w.set.Add(v.abandoned)
	return &View{txn: v.txn, abandoned: v.abandoned, watch: w}, w
}

// Wait blocks until something that the view has read so far changes, or the state is replaced as a whole, and
// then returns nil; or until ctx ends, and then returns its error. It may wake without a change.
func (w *Watch) Wait(ctx context.Context) error {
	w.mu.Lock()
	set := maps.Clone(w.set)
	w.mu.Unlock()
	return set.WatchCtx(ctx)
}

func (w *Watch) add(ch, whole <-chan struct{}) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set.AddWithLimit(maxWatched, ch, whole)
}

// Changed returns a channel that is closed when any entry after this view is applied, or the state is replaced.
// The second case is told by Replaced.
func (v *View) Changed() <-chan struct{} {
	ch, _, err := v.txn.FirstWatch(metaTable, "id", []byte{0})
	if err != nil {
		panic(err) // the index is a constant
	}
	return ch
}

// Replaced returns a channel that is closed when a restored snapshot has taken the place of this state.
func (v *View) Replaced() <-chan struct{} { return v.abandoned }

// Meta returns what the state knows of itself. Reading it is not noted in a Watch: use Changed.
func (v *View) Meta() *Meta {
	row, err := v.txn.First(metaTable, "id", []byte{0})
	if err != nil {
		panic(err) // the index is a constant
	}
	return row.(*Meta)
}

// Index returns the index of the last entry that the view holds.
func (v *View) Index() uint64 { return v.Meta().Index }

// Hash returns the state's hash (M3): equal on every node that applied the same entries.
func (v *View) Hash() digest.Digest { return v.Meta().digest() }

// find returns the row with a key, or nil.
func find[T Row](v *View, t *table[T], key []byte) *T { return findBy(v, t, "id", key) }

func findBy[T Row](v *View, t *table[T], index string, key []byte) *T {
	ch, row, err := v.txn.FirstWatch(t.name, index, key)
	if err != nil {
		panic(err) // tables and indexes are constants
	}
	v.note(t.name, ch)
	r, _ := row.(*T)
	return r
}

// list returns the rows whose key in an index begins with prefix, all for an empty one.
func list[T Row](v *View, t *table[T], index string, prefix []byte) []*T {
	var out []*T
	for r := range v.iterate(t.name, index, prefix, false) {
		out = append(out, r.(*T))
	}
	return out
}

// iterate yields rows in the order of the index, or against it. The state must not be written while it runs.
func (v *View) iterate(table, index string, prefix []byte, reverse bool) func(func(any) bool) {
	return func(yield func(any) bool) {
		get := v.txn.Get
		if reverse {
			get = v.txn.GetReverse
		}
		it, err := get(table, index+"_prefix", prefix)
		if err != nil {
			panic(err) // tables and indexes are constants
		}
		v.note(table, it.WatchCh())
		for r := it.Next(); r != nil; r = it.Next() {
			if !yield(r) {
				return
			}
		}
	}
}

// note adds a channel to the watch; beyond its bound, the channel of the whole table.
func (v *View) note(table string, ch <-chan struct{}) {
	if v.watch == nil {
		return
	}
	it, err := v.txn.Get(table, "id")
	if err != nil {
		panic(err) // tables are constants
	}
	v.watch.add(ch, it.WatchCh())
}
