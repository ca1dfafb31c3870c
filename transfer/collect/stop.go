package collect

import (
	"errors"
	"fmt"
)

// The reasons for ending a run without a delete. Errors of the store are returned as they are.
var (
	// ErrUnreadable: the tree of a whole copy cannot be read, or names a chunk that no live segment knows.
	ErrUnreadable = errors.New("a live disk cannot be read whole")
	// ErrLost: a pack that live chunks lie in is not in the store, or has another length.
	ErrLost = errors.New("a live pack is lost")
	// ErrListing: the listing failed, or is far shorter than what is known to be there.
	ErrListing = errors.New("the listing cannot be relied on")
	// ErrForeign: the store holds keys of a future that the log has not reached: the state is older than the store.
	ErrForeign = errors.New("the store is newer than the state")
	// ErrUnaccounted: too much garbage that no delete, ended claim or compaction explains.
	ErrUnaccounted = errors.New("too much garbage that nothing explains")
	// ErrList: a stored list is not what the log says, or names what is live.
	ErrList = errors.New("the list of condemned keys cannot be used")
)

func stop(reason error, format string, args ...any) error {
	return fmt.Errorf("%w: %w", reason, fmt.Errorf(format, args...))
}
