package manifest

import (
	"context"
	"encoding/binary"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// RootSize is the length of a root node in bytes.
const RootSize = 96

// Root is the node that names a disk's content.
//
// Invariants of every decoded Root: Params are valid; 1 <= Length <= MaxLength;
// Data <= Length; Top is zero exactly where Data and Chunks are 0.
type Root struct {
	Params chunk.Params
	Length int64    // guest bytes
	Data   int64    // guest bytes that are no hole
	Chunks int64    // chunk entries of all leaves
	Top    chunk.ID // the topmost inner node, or the only leaf
}

// Shape is the form of the trees below r.
func (r Root) Shape() Shape { return Shape{Length: r.Length, Span: int64(r.Params.Span)} }

func (r Root) sums() Sums { return Sums{Bytes: r.Data, Count: r.Chunks} }

// ID is the identity of the content: the digest of the root node.
func (r Root) ID() chunk.ID { return digest.Of(r.Encode()) }

// Encode returns the root node's bytes.
func (r Root) Encode() []byte {
	le := binary.LittleEndian
	b := appendHeader(make([]byte, 0, RootSize), magicRoot)
	b = append(b, byte(r.Shape().Height()), 0, 0)
	for _, v := range []uint32{r.Params.Algorithm, r.Params.Min, r.Params.Average, r.Params.Max, r.Params.HoleBlock, 0} {
		b = le.AppendUint32(b, v)
	}
	for _, v := range []uint64{r.Params.Span, uint64(r.Length), uint64(r.Data), uint64(r.Chunks)} {
		b = le.AppendUint64(b, v)
	}
	return append(b, r.Top[:]...)
}

// DecodeRoot reads what Encode writes and refuses all else.
func DecodeRoot(b []byte) (Root, error) {
	le := binary.LittleEndian
	d := decoder{b: b}
	d.header(magicRoot)
	height, zero := d.byte(), d.take(2)
	p := d.take(24)
	n := d.take(32)
	top := d.digest()
	if err := d.end(); err != nil {
		return Root{}, err
	}
	length := le.Uint64(n[8:])
	if length > MaxLength {
		return Root{}, fmt.Errorf("%w: disk of %d bytes", ErrLimit, length)
	}
	r := Root{
		Params: chunk.Params{Algorithm: le.Uint32(p), Min: le.Uint32(p[4:]), Average: le.Uint32(p[8:]),
			Max: le.Uint32(p[12:]), HoleBlock: le.Uint32(p[16:]), Span: le.Uint64(n)},
		Length: int64(length), Data: int64(le.Uint64(n[16:])), Chunks: int64(le.Uint64(n[24:])), Top: top,
	}
	if le.Uint16(zero) != 0 || le.Uint32(p[20:]) != 0 {
		return Root{}, invalid("reserved bytes of the root are not zero")
	}
	return r, r.check(int(height))
}

func (r Root) check(height int) error {
	if err := r.Params.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := r.Shape().check(); err != nil {
		return err
	}
	if height != r.Shape().Height() {
		return invalid("height %d of a disk of %d bytes", height, r.Length)
	}
	if r.Data < 0 || r.Data > r.Length || r.Chunks < 0 || r.Chunks > r.Data {
		return invalid("%d data bytes in %d chunks of a disk of %d bytes", r.Data, r.Chunks, r.Length)
	}
	if hole := r.Top.IsZero(); hole != (r.Data == 0) || hole != (r.Chunks == 0) {
		return invalid("%d data bytes in %d chunks below top %s", r.Data, r.Chunks, r.Top.Short())
	}
	return nil
}

// Open reads and checks the root node that id names.
func Open(ctx context.Context, g Getter, id chunk.ID) (Root, error) {
	b, err := fetch(ctx, g, id)
	if err != nil {
		return Root{}, err
	}
	return DecodeRoot(b)
}
