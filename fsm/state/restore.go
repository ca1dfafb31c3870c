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

	"loggia/fsm/command"
	"loggia/internal/digest"
)

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
