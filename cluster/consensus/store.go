package consensus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"loggia/internal/logbridge"
)

// stores are what raft keeps on disk.
type stores struct {
	*checked
	snapshots raft.SnapshotStore
	close     func() error
}

// snapshotsKept is how many snapshots stay: the newest and one to fall back on by hand.
const snapshotsKept = 2

// lockTime bounds the wait for another process to let go of the log.
const lockTime = 5 * time.Second

// openStores opens the directory, or stores in memory where there is none.
func openStores(o Options) (*stores, error) {
	c := &checked{fatal: o.OnFatal, hang: hangTime}
	if o.Dir == "" {
		m := raft.NewInmemStore()
		c.logs, c.stable = m, m
		return &stores{checked: c, snapshots: raft.NewInmemSnapshotStore(), close: func() error { return nil }}, nil
	}
	if err := private(o.Dir); err != nil {
		return nil, fmt.Errorf("make the log's directory: %w", err)
	}
	bolt, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(o.Dir, "log.db"), BoltOptions: &bbolt.Options{Timeout: lockTime}})
	if err != nil {
		return nil, fmt.Errorf("open log (is another process using it?): %w", err)
	}
	c.logs, c.stable = bolt, bolt
	snaps, err := raft.NewFileSnapshotStoreWithLogger(o.Dir, snapshotsKept, logbridge.HC(o.Logger))
	if err == nil {
		err = examine(c, snaps)
	}
	if err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return &stores{checked: c, snapshots: snaps, close: bolt.Close}, nil
}

// private makes a directory for its owner only. Raft's snapshots in it are readable by all but for that.
func private(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700) // it may have been there
}

// ErrState is returned by Open where log and snapshots don't make a whole state.
var ErrState = errors.New("this node cannot go on with the log and snapshots that it has: " +
	"remove it from the cluster with `loggia members remove` and let it join anew with an empty directory")

// examine holds log and snapshots against each other. raft passes a damaged snapshot over in silence and
// panics where an entry is missing or damaged; here both are errors that say what to do.
func examine(c *checked, s raft.SnapshotStore) error {
	snapshot, err := newest(s)
	if err != nil {
		return err
	}
	first, err := c.logs.FirstIndex()
	if err != nil {
		return fmt.Errorf("read the log's start: %w", err)
	}
	last, err := c.logs.LastIndex()
	if err != nil {
		return fmt.Errorf("read the log's end: %w", err)
	}
	switch {
	case last == 0:
		return nil
	case last < snapshot:
		// The process ended after it had taken a snapshot in from the leader and before the log,
		// which the snapshot replaces, was dropped. The next entry would leave a gap.
		return c.DeleteRange(first, last)
	case first > snapshot+1:
		return fmt.Errorf("%w: %w: it begins at %d and the newest snapshot ends at %d", ErrState, ErrGap, first, snapshot)
	}
	var l raft.Log
	for i := first; i <= last; i++ {
		l = raft.Log{}
		err := c.logs.GetLog(i, &l)
		if errors.Is(err, raft.ErrLogNotFound) {
			err = fmt.Errorf("%w: index %d is missing", ErrGap, i)
		}
		if err == nil {
			err = unwrap(i, &l)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	return nil
}

// newest returns the index of the newest snapshot after comparing its checksum, or 0.
func newest(s raft.SnapshotStore) (uint64, error) {
	list, err := s.List()
	if err != nil || len(list) == 0 {
		return 0, err
	}
	_, r, err := s.Open(list[0].ID) // reads it all and compares the checksum
	if err != nil {
		return 0, fmt.Errorf("%w: newest snapshot %s: %w", ErrState, list[0].ID, err)
	}
	return list[0].Index, r.Close()
}
