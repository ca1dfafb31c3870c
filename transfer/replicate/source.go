package replicate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"loggia/transfer/chunk"
)

// Source is a place that holds the disk: another region's node, or another repository of the same
// region. It is safe for use by many goroutines. Nothing that it sends is believed.
type Source interface {
	// Name says for people where the bytes come from.
	Name() string
	// Fetch asks for chunks and calls fn for frames that arrive, one or some at a time, in any order, one call at a time;
	// bytes and refs are valid until fn returns. A chunk asked for comes in one frame at least, or
	// its id is returned as missing. An error of fn ends it, and so does ctx, soon: of the frames that fn was shown then some may be kept.
	// Who has too much to do answers with a *Busy.
	Fetch(ctx context.Context, want []chunk.ID, fn func(frames []Arrived) error) (missing []chunk.ID, err error)
}

// Arrived is a frame that has come.
type Arrived struct {
	Stored []byte
	Refs   []chunk.Ref // what it unpacks to, as the source says
}

// Single is what a Source is, but that it shows frames one by one.
type Single interface {
	Name() string
	Fetch(ctx context.Context, want []chunk.ID, fn func(stored []byte, refs []chunk.Ref) error) (missing []chunk.ID, err error)
}

// OneByOne makes a Source of one that shows frames so.
func OneByOne(s Single) Source { return oneByOne{s} }

type oneByOne struct{ Single }

// Fetch implements Source.
func (o oneByOne) Fetch(ctx context.Context, want []chunk.ID, fn func(frames []Arrived) error) ([]chunk.ID, error) {
	return o.Single.Fetch(ctx, want, func(stored []byte, refs []chunk.Ref) error { return fn([]Arrived{{stored, refs}}) })
}

// Member is a Source in another region that makes the same copy now, and so holds a part of the disk.
type Member interface {
	Source
	// Region is the member's name in the dealing out of pieces: every region means the same by it.
	Region() string
	// Have returns the pieces announced after m. Where there are none it waits for some, a few seconds at
	// most, and returns none without an error.
	Have(ctx context.Context, m Mark) (Have, error)
}

// Keyed is a Source whose name is not unique: sources with one key are the same. Without it the name is the key.
type Keyed interface{ Key() string }

// Distant is a Source of which somebody has said how far it is, from 1 on; 0: nothing. Only which of two is nearer counts, and only for
// want of measurements.
type Distant interface{ Distance() uint32 }

// CompareDistance orders distances, the nearest first; of what nothing is said comes last.
func CompareDistance(a, b uint32) int { return cmp.Compare(a-1, b-1) } // 0 becomes the largest

// Busy is the error of a source that has too much to do: it has not failed.
type Busy struct {
	After time.Duration // when to ask again
}

// Error says so.
func (b *Busy) Error() string { return fmt.Sprintf("busy for %s", b.After) }

// The reasons for giving up. The copy can be begun again and goes on from what was kept.
var (
	// ErrNoSource: no source holds a chunk that is needed.
	ErrNoSource = errors.New("no source holds what is needed")
	// ErrLied: a source sent bytes that are not what they claim to be.
	ErrLied = errors.New("source sent wrong bytes")
)
