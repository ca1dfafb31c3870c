package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// The reasons for not trusting what a log store gives.
var (
	ErrDamaged = errors.New("log entry is damaged")
	ErrGap     = errors.New("log has a gap")
	ErrHung    = errors.New("no answer from the disk")
)

// hangTime is how long a write may take before the node ends itself, so that another can lead (C3).
const hangTime = 10 * time.Second

// checked is a log and stable store that trusts its disk as little as it must: every entry carries
// a CRC-32C, indexes have no gaps, and a write that fails or hangs ends the node (C1, C3): nothing is
// written after it, since what a disk says after a failed fsync means nothing.
type checked struct {
	logs   raft.LogStore
	stable raft.StableStore
	fatal  func(error)
	hang   time.Duration
	failed atomic.Pointer[error] // set: the node is ending
}

// sumSize is the length of the checksum at the end of an entry's extensions.
const sumSize = 4

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
	if err := unwrap(index, l); err != nil {
		return c.stop(err)
	}
	return nil
}

// unwrap checks what is kept under an index and takes the checksum off.
func unwrap(index uint64, l *raft.Log) error {
	n := len(l.Extensions) - sumSize
	if n < 0 || l.Index != index || binary.BigEndian.Uint32(l.Extensions[n:]) != sum(l) {
		return fmt.Errorf("%w: index %d", ErrDamaged, index)
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
	if err := c.failed.Load(); err != nil {
		return *err
	}
	dog := time.AfterFunc(c.hang, func() { _ = c.stop(fmt.Errorf("%s: %w for %v", what, ErrHung, c.hang)) })
	defer dog.Stop()
	if err := fn(); err != nil {
		return c.stop(fmt.Errorf("%s: %w", what, err))
	}
	return nil
}

// stop ends the node for the first reason there is.
func (c *checked) stop(err error) error {
	if c.failed.CompareAndSwap(nil, &err) {
		c.fatal(err)
	}
	return err
}
