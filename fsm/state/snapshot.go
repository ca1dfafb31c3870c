package state

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/hashicorp/go-memdb"

	"loggia/fsm/command"
)

// A snapshot is
//
//	"loggiafs" version:u16   the magic and the version of this layout, big-endian
//	record                   the header
//	record...                the rows: tables as in the header, rows in the order of their keys
//	digest                   32 bytes: SHA-256 of everything before
//
// where a record is length:u32 and that many bytes of deterministic CBOR.
const (
	snapshotMagic   = "loggiafs"
	snapshotVersion = 1
	// firstTables is how many tables the first release knows. Later ones are named only up to the last that has rows, so that
	// a binary without them reads the snapshots of a cluster that uses none (C7).
	firstTables = 15
	// maxRow bounds one record, in bytes. The largest row is a repository with gallery.MaxSegments segments, below 80 KiB.
	maxRow = 1 << 20
)

// ErrSnapshot is wrapped by every refusal of a snapshot (M7).
var ErrSnapshot = errors.New("damaged or foreign snapshot")

type snapshotHeader struct {
	Index  uint64       `cbor:"1,keyasint"`
	Term   uint64       `cbor:"2,keyasint"`
	Time   time.Time    `cbor:"3,keyasint"`
	Sum    []uint64     `cbor:"4,keyasint"`
	Tables []tableCount `cbor:"5,keyasint"`
}

type tableCount struct {
	Name string `cbor:"1,keyasint"`
	Rows uint64 `cbor:"2,keyasint"`
}

// Write writes the view as a snapshot. Equal states give equal bytes.
func (v *View) Write(w io.Writer) error {
	out := &hashing{w: bufio.NewWriterSize(w, 1<<16), h: sha256.New()}
	m := v.Meta()
	h := snapshotHeader{Index: m.Index, Term: m.Term, Time: m.Time, Sum: m.Sum[:]}
	for _, t := range inOrder() {
		n, err := t.count(v.txn)
		if err != nil {
			return fmt.Errorf("count rows of %s: %w", t.tableName(), err)
		}
		h.Tables = append(h.Tables, tableCount{t.tableName(), n})
	}
	for n := len(h.Tables); n > firstTables && h.Tables[n-1].Rows == 0; n-- {
		h.Tables = h.Tables[:n-1]
	}
	out.write(binary.BigEndian.AppendUint16([]byte(snapshotMagic), snapshotVersion))
	out.record(&h)
	for _, t := range inOrder() {
		if err := t.each(v.txn, out.record); err != nil {
			return fmt.Errorf("write rows of %s: %w", t.tableName(), err)
		}
	}
	if out.err == nil {
		_, out.err = out.w.Write(out.h.Sum(nil))
	}
	if out.err == nil {
		out.err = out.w.Flush()
	}
	if out.err != nil {
		return fmt.Errorf("write snapshot: %w", out.err)
	}
	return nil
}

// hashing writes and hashes until the first error.
type hashing struct {
	w   *bufio.Writer
	h   hash.Hash
	err error
}

func (o *hashing) write(b []byte) {
	if o.err == nil {
		o.h.Write(b)
		_, o.err = o.w.Write(b)
	}
}

func (o *hashing) record(row any) error {
	b, err := command.Marshal(row)
	if err != nil {
		return err
	}
	o.write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
	o.write(b)
	return o.err
}

// anyTable is a table whose row type is forgotten.
type anyTable interface {
	tableName() string
	schema() *memdb.TableSchema
	count(*memdb.Txn) (uint64, error)
	each(*memdb.Txn, func(any) error) error
	load(tx *Tx, record, last []byte) ([]byte, error)
}

func (t *table[T]) tableName() string { return t.name }

func (t *table[T]) count(txn *memdb.Txn) (uint64, error) {
	var n uint64
	err := t.each(txn, func(any) error { n++; return nil })
	return n, err
}

func (t *table[T]) each(txn *memdb.Txn, fn func(any) error) error {
	it, err := txn.Get(t.name, "id")
	if err != nil {
		return err
	}
	for r := it.Next(); r != nil; r = it.Next() {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}
