package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"loggia/internal/logbridge"
)

// The reasons for not trusting what a log store gives.
var (
	ErrDamaged = errors.New("log entry is damaged")
	ErrGap     = errors.New("log has a gap")
)

// hangTime is how long a write may take before the node ends itself, so that another can lead (C3).
const hangTime = 10 * time.Second

// checked is a log and stable store that trusts its disk as little as it must: every entry carries
// a CRC-32C, indexes have no gaps, and a write that fails or hangs ends the node (C1, C3).
type checked struct {
	logs   raft.LogStore
	stable raft.StableStore
	fatal  func(error)
	hang   time.Duration
}

var table = crc32.MakeTable(crc32.Castagnoli)

// sum covers all that makes the entry what it is.
func sum(l *raft.Log) uint32 {
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	return crc32.Update(crc32.Checksum(head[:], table), table, l.Data)
}

// IsMonotonic implements raft.MonotonicLogStore: raft drops old entries before it installs a
// snapshot, so that the log never has a gap.
func (c *checked) IsMonotonic() bool { return true }

// FirstIndex implements raft.LogStore.
func (c *checked) FirstIndex() (uint64, error) { return c.logs.FirstIndex() }

// LastIndex implements raft.LogStore.
func (c *checked) LastIndex() (uint64, error) { return c.logs.LastIndex() }

// GetLog implements raft.LogStore.
func (c *checked) GetLog(index uint64, l *raft.Log) error {
	if err := c.logs.GetLog(index, l); err != nil {
		return err
	}
	n := len(l.Extensions) - 4
	if n < 0 || l.Index != index || binary.BigEndian.Uint32(l.Extensions[n:]) != sum(l) {
		err := fmt.Errorf("%w: index %d", ErrDamaged, index)
		c.fatal(err)
		return err
	}
	l.Extensions = l.Extensions[:n:n]
	return nil
}

// StoreLog implements raft.LogStore.
func (c *checked) StoreLog(l *raft.Log) error { return c.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (c *checked) StoreLogs(logs []*raft.Log) error {
	last, err := c.logs.LastIndex()
	if err != nil {
		return c.stop(fmt.Errorf("read the log's end: %w", err))
	}
	with := make([]*raft.Log, len(logs))
	for i, l := range logs {
		if last != 0 && l.Index > last+1 || i > 0 && l.Index != logs[i-1].Index+1 {
			return c.stop(fmt.Errorf("%w: index %d after %d", ErrGap, l.Index, last))
		}
		last = max(last, l.Index)
		e := *l
		e.Extensions = binary.BigEndian.AppendUint32(append([]byte(nil), l.Extensions...), sum(l))
		with[i] = &e
	}
	return c.write("write the log", func() error { return c.logs.StoreLogs(with) })
}

// DeleteRange implements raft.LogStore.
func (c *checked) DeleteRange(from, to uint64) error {
	return c.write("shorten the log", func() error { return c.logs.DeleteRange(from, to) })
}

// Set implements raft.StableStore, as do all that follow.
func (c *checked) Set(key, val []byte) error {
	return c.write("write raft's state", func() error { return c.stable.Set(key, val) })
}

func (c *checked) SetUint64(key []byte, val uint64) error {
	return c.write("write raft's state", func() error { return c.stable.SetUint64(key, val) })
}

func (c *checked) Get(key []byte) ([]byte, error)       { return c.stable.Get(key) }
func (c *checked) GetUint64(key []byte) (uint64, error) { return c.stable.GetUint64(key) }

// write calls fn under the watchdog.
func (c *checked) write(what string, fn func() error) error {
	dog := time.AfterFunc(c.hang, func() { c.fatal(fmt.Errorf("%s: no answer from the disk for %v", what, c.hang)) })
	defer dog.Stop()
	if err := fn(); err != nil {
		return c.stop(fmt.Errorf("%s: %w", what, err))
	}
	return nil
}

func (c *checked) stop(err error) error {
	c.fatal(err)
	return err
}

// stores are what raft keeps on disk.
type stores struct {
	*checked
	snapshots raft.SnapshotStore
	close     func() error
}

// snapshotsKept is how many snapshots stay: the newest and one to fall back on by hand.
const snapshotsKept = 2

// openStores opens the directory, or stores in memory where there is none.
func openStores(o Options) (*stores, error) {
	c := &checked{fatal: o.OnFatal, hang: hangTime}
	if o.Dir == "" {
		m := raft.NewInmemStore()
		c.logs, c.stable = m, m
		return &stores{checked: c, snapshots: raft.NewInmemSnapshotStore(), close: func() error { return nil }}, nil
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	bolt, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(o.Dir, "log.db"), BoltOptions: &bbolt.Options{Timeout: 5 * time.Second}})
	if err != nil {
		return nil, fmt.Errorf("open log (is another process using it?): %w", err)
	}
	c.logs, c.stable = bolt, bolt
	snaps, err := raft.NewFileSnapshotStoreWithLogger(o.Dir, snapshotsKept, logbridge.HC(o.Logger))
	if err == nil {
		err = checkNewest(snaps)
	}
	if err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return &stores{checked: c, snapshots: snaps, close: bolt.Close}, nil
}

// checkNewest reads the newest snapshot, whose checksum the store compares: raft would pass a
// damaged one over in silence and then miss the entries that it had replaced.
func checkNewest(s raft.SnapshotStore) error {
	list, err := s.List()
	if err != nil || len(list) == 0 {
		return err
	}
	_, r, err := s.Open(list[0].ID)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		err = errors.Join(err, r.Close())
	}
	if err != nil {
		return fmt.Errorf("the newest snapshot %s is damaged: this node cannot go on with what it has; remove it with `loggia members remove` and let it join anew with an empty directory: %w", list[0].ID, err)
	}
	return nil
}
