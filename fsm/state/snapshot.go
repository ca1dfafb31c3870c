package state

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/hashicorp/go-memdb"

	"loggia/fsm/command"
	"loggia/internal/digest"
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

// Read builds a state from a snapshot. It is verified as a whole: layout, counts, order, trailing digest and the state's hash.
// Any fault gives an error that wraps ErrSnapshot, and no state.
func Read(r io.Reader) (*State, error) {
	in := &snapshotReader{r: bufio.NewReaderSize(r, 1<<16), h: sha256.New()}
	h, err := in.header()
	if err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrSnapshot, err)
	}
	s := New()
	tx := s.Begin(h.Index, h.Term, h.Time)
	if err := in.rows(tx, h); err != nil {
		tx.Abort()
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if !bytes.Equal(flat(tx.meta.Sum[:]), flat(h.Sum)) || !tx.meta.Time.Equal(h.Time) {
		tx.Abort()
		return nil, fmt.Errorf("%w: the rows do not give the state's hash", ErrSnapshot)
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return s, nil
}

func flat(lanes []uint64) []byte {
	var b []byte
	for _, l := range lanes {
		b = number(b, l)
	}
	return b
}

type snapshotReader struct {
	r   *bufio.Reader
	h   hash.Hash
	buf []byte
}

func (in *snapshotReader) full(b []byte) error {
	if _, err := io.ReadFull(in.r, b); err != nil {
		return err
	}
	in.h.Write(b)
	return nil
}

// record returns the next record; it is valid until the next call.
func (in *snapshotReader) record() ([]byte, error) {
	var head [4]byte
	if err := in.full(head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxRow {
		return nil, fmt.Errorf("record of %d bytes, at most %d", n, maxRow)
	}
	if int(n) > cap(in.buf) {
		in.buf = make([]byte, n)
	}
	b := in.buf[:n]
	return b, in.full(b)
}

func (in *snapshotReader) header() (*snapshotHeader, error) {
	var head [len(snapshotMagic) + 2]byte
	if err := in.full(head[:]); err != nil {
		return nil, err
	}
	if v := binary.BigEndian.Uint16(head[len(snapshotMagic):]); string(head[:len(snapshotMagic)]) != snapshotMagic || v != snapshotVersion {
		return nil, fmt.Errorf("magic %q, version %d", head[:len(snapshotMagic)], v)
	}
	b, err := in.record()
	if err != nil {
		return nil, err
	}
	var h snapshotHeader
	if err := command.Unmarshal(b, &h); err != nil {
		return nil, err
	}
	tables := inOrder()
	if len(h.Tables) > len(tables) {
		return nil, fmt.Errorf("%d tables, %d known", len(h.Tables), len(tables))
	}
	for i, t := range h.Tables {
		if t.Name != tables[i].tableName() {
			return nil, fmt.Errorf("table %q where %q belongs", t.Name, tables[i].tableName())
		}
	}
	return &h, nil
}

// rows reads all tables, the trailing digest and the end.
func (in *snapshotReader) rows(tx *Tx, h *snapshotHeader) error {
	tables := inOrder()
	for i, t := range h.Tables {
		var last []byte
		for n := range t.Rows {
			b, err := in.record()
			if err != nil {
				return fmt.Errorf("row %d of %s: %w", n, t.Name, err)
			}
			if last, err = tables[i].load(tx, b, last); err != nil {
				return fmt.Errorf("row %d of %s: %w", n, t.Name, err)
			}
		}
	}
	want := digest.Digest(in.h.Sum(nil))
	var got digest.Digest
	if err := in.full(got[:]); err != nil {
		return fmt.Errorf("trailing digest: %w", err)
	}
	if got != want {
		return errors.New("the trailing digest is another")
	}
	if _, err := in.r.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("bytes after the end")
	}
	return nil
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

// load adds the row of a record whose key must come after last, and returns that key.
func (t *table[T]) load(tx *Tx, record, last []byte) ([]byte, error) {
	row := new(T)
	if err := command.Unmarshal(record, row); err != nil {
		return nil, err
	}
	k := t.key(row)
	if last != nil && bytes.Compare(last, k) >= 0 {
		return nil, errors.New("out of order")
	}
	Put(tx, row)
	return k, tx.err
}
