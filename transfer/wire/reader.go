package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// Reader reads one stream, record by record, into its caller's buffer. It reads not one byte
// beyond the end record, so streams may follow each other. It is for one goroutine.
type Reader struct {
	// Grow, where it is set, is asked for a buffer of at least n bytes when a record does not fit
	// the one at hand, which the Reader then lets go. n is at most MaxRecord.
	Grow func(n int) ([]byte, error)

	r       io.Reader
	buf     []byte
	head    [recordHeaderSize]byte
	begun   bool
	records uint64
	bytes   uint64
	err     error

	refs  []chunk.Ref
	ids   []chunk.ID
	spans []manifest.SpanRef
}

// NewReader reads from r into buf, which bounds the records that are accepted: MaxRecord holds
// them all, less than MinBuffer is refused by Next.
func NewReader(r io.Reader, buf []byte) *Reader { return &Reader{r: r, buf: buf} }

// SetBuffer makes the next Next read into buf; the last record's Data stays in the old buffer.
func (r *Reader) SetBuffer(buf []byte) { r.buf = buf }

// Next returns the next record, io.EOF behind a whole stream, and a *RemoteError where the other side
// ended it with an error. Other errors are ErrTruncated, ErrCorrupt, ErrVersion, ErrLimit or those of
// the underlying reader. An error is final.
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	rec, err := r.next()
	if err != nil {
		r.err = err
		return Record{}, err
	}
	return rec, nil
}

func (r *Reader) next() (Record, error) {
	if len(r.buf) < MinBuffer {
		return Record{}, fmt.Errorf("%w: buffer of %d bytes, want at least %d", ErrLimit, len(r.buf), MinBuffer)
	}
	if err := r.begin(); err != nil {
		return Record{}, err
	}
	if err := r.full(r.head[:]); err != nil {
		return Record{}, err
	}
	k, n := Kind(r.head[0]), binary.LittleEndian.Uint32(r.head[4:])
	if r.head[1]|r.head[2]|r.head[3] != 0 {
		return Record{}, fmt.Errorf("%w: reserved bytes of a %s record are set", ErrCorrupt, k)
	}
	if err := checkLength(k, int64(n)); err != nil {
		return Record{}, err
	}
	if err := r.room(k, int(n)); err != nil {
		return Record{}, err
	}
	b := r.buf[:n:n]
	if err := r.full(b); err != nil {
		return Record{}, err
	}
	rec, err := r.parse(k, b)
	r.records++
	r.bytes += uint64(n)
	return rec, err
}

// room makes sure that a record of n bytes fits the buffer.
func (r *Reader) room(k Kind, n int) error {
	if n > len(r.buf) && r.Grow != nil {
		buf, err := r.Grow(n)
		if err != nil {
			return fmt.Errorf("buffer for a %s record of %d bytes: %w", k, n, err)
		}
		r.buf = buf
	}
	if n > len(r.buf) {
		return fmt.Errorf("%w: %s record of %d bytes, buffer of %d", ErrLimit, k, n, len(r.buf))
	}
	return nil
}

func (r *Reader) begin() error {
	if r.begun {
		return nil
	}
	var h [HeaderSize]byte
	if err := r.full(h[:]); err != nil {
		return err
	}
	if string(h[:4]) != magic || h[5]|h[6]|h[7] != 0 {
		return fmt.Errorf("%w: no stream header", ErrCorrupt)
	}
	if h[4] != Version {
		return fmt.Errorf("%w %d", ErrVersion, h[4])
	}
	r.begun = true
	return nil
}

// full fills b.
func (r *Reader) full(b []byte) error {
	if _, err := io.ReadFull(r.r, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%w after %d records", ErrTruncated, r.records)
		}
		return fmt.Errorf("read record: %w", err)
	}
	return nil
}

// checkLength refuses a record by its length alone, before it is read.
func checkLength(k Kind, n int64) error {
	var low, high, unit int64 = 1, MaxRecord, 1
	switch k {
	case KindFrame:
		low = 4 + 1
	case KindNode:
		high = MaxNode
	case KindLeaf:
		low, high = 8+1, 8+MaxNode
	case KindChunks, KindMissing:
		high, unit = MaxIDs*digest.Size, digest.Size
	case KindSpans:
		high, unit = MaxSpans*spanSize, spanSize
	case KindError:
		low, high = 2, 1+maxCode+MaxText
	case KindEnd:
		low, high = endSize, endSize
	case KindStore:
		low, high = storeSize+1, storeSize+MaxOrigin+MaxCA
	case KindRange:
		low = rangeSize + 1 + rangeFrameSize
	default:
		return fmt.Errorf("%w: %s", ErrCorrupt, k)
	}
	if n > high {
		return fmt.Errorf("%w: %s record of %d bytes", ErrLimit, k, n)
	}
	if n < low || n%unit != 0 {
		return fmt.Errorf("%w: %s record of %d bytes", ErrCorrupt, k, n)
	}
	return nil
}

func (r *Reader) parse(k Kind, b []byte) (Record, error) {
	switch k {
	case KindFrame:
		return r.frame(b)
	case KindNode:
		return Record{Kind: k, Data: b}, nil
	case KindLeaf:
		span := binary.LittleEndian.Uint64(b)
		if span >= 1<<63 {
			return Record{}, fmt.Errorf("%w: leaf of span %d", ErrCorrupt, span)
		}
		return Record{Kind: k, Span: int64(span), Data: b[8:]}, nil
	case KindChunks, KindMissing:
		r.ids = r.ids[:0]
		for ; len(b) > 0; b = b[digest.Size:] {
			r.ids = append(r.ids, chunk.ID(b[:digest.Size]))
		}
		return Record{Kind: k, IDs: r.ids}, nil
	case KindSpans:
		return r.spanList(b)
	case KindError:
		return Record{}, parseError(b)
	case KindStore:
		return parseStore(b)
	case KindRange:
		return parseRange(b)
	default:
		return Record{}, r.end(b)
	}
}

func (r *Reader) frame(b []byte) (Record, error) {
	n := binary.LittleEndian.Uint32(b)
	if n > MaxRefs {
		return Record{}, fmt.Errorf("%w: frame of %d chunks", ErrLimit, n)
	}
	refs, size := b[4:], int(n)*refSize
	if len(refs) <= size {
		return Record{}, fmt.Errorf("%w: frame record of %d bytes holds %d chunks and no frame", ErrCorrupt, len(b), n)
	}
	r.refs = appendRefs(r.refs[:0], refs[:size])
	return Record{Kind: KindFrame, Refs: r.refs, Data: refs[size:]}, nil
}

// appendRefs reads whole references.
func appendRefs(to []chunk.Ref, b []byte) []chunk.Ref {
	to = slices.Grow(to, len(b)/refSize)
	for ; len(b) > 0; b = b[refSize:] {
		to = append(to, chunk.Ref{ID: chunk.ID(b[:digest.Size]), Length: binary.LittleEndian.Uint32(b[digest.Size:])})
	}
	return to
}

func (r *Reader) spanList(b []byte) (Record, error) {
	le := binary.LittleEndian
	r.spans = r.spans[:0]
	for ; len(b) > 0; b = b[spanSize:] {
		span, bytes, count := le.Uint64(b), le.Uint64(b[8+digest.Size:]), le.Uint64(b[16+digest.Size:])
		if span|bytes|count >= 1<<63 {
			return Record{}, fmt.Errorf("%w: span %d of %d bytes and %d chunks", ErrCorrupt, span, bytes, count)
		}
		r.spans = append(r.spans, manifest.SpanRef{
			Span: int64(span),
			ID:   chunk.ID(b[8 : 8+digest.Size]),
			Sums: manifest.Sums{Bytes: int64(bytes), Count: int64(count)},
		})
	}
	return Record{Kind: KindSpans, Spans: r.spans}, nil
}

func parseError(b []byte) error {
	n := int(b[0])
	if n == 0 || n > maxCode || len(b)-1 < n || len(b)-1-n > MaxText {
		return fmt.Errorf("%w: error record with a code of %d bytes", ErrCorrupt, n)
	}
	return &RemoteError{Code: string(b[1 : 1+n]), Text: string(b[1+n:])}
}

func parseStore(b []byte) (Record, error) {
	life, n := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint16(b[4:]))
	if b = b[storeSize:]; n == 0 || n > MaxOrigin || n > len(b) || len(b)-n > MaxCA {
		return Record{}, fmt.Errorf("%w: store with an origin of %d bytes", ErrCorrupt, n)
	}
	return Record{Kind: KindStore, Store: Store{Origin: string(b[:n]), CA: string(b[n:]), Life: time.Duration(life) * time.Second}}, nil
}

func parseRange(b []byte) (Record, error) {
	le := binary.LittleEndian
	off, n := le.Uint64(b), int(le.Uint16(b[8:]))
	if b = b[rangeSize:]; off >= 1<<63 || n == 0 || n > MaxPath || n > len(b) {
		return Record{}, fmt.Errorf("%w: range at %d with a path of %d bytes", ErrCorrupt, off, n)
	}
	out := Range{Path: string(b[:n]), Offset: int64(off)}
	for b = b[n:]; len(b) > 0; {
		if len(b) < rangeFrameSize {
			return Record{}, fmt.Errorf("%w: range ends within a frame", ErrCorrupt)
		}
		f, refs := RangeFrame{Stored: le.Uint32(b)}, le.Uint32(b[4:])
		b = b[rangeFrameSize:]
		if f.Stored == 0 || f.Stored > MaxRecord || refs > MaxRefs || int(refs)*refSize > len(b) {
			return Record{}, fmt.Errorf("%w: frame of %d bytes and %d chunks in a range", ErrCorrupt, f.Stored, refs)
		}
		f.Refs = appendRefs(nil, b[:int(refs)*refSize])
		b = b[int(refs)*refSize:]
		out.Frames = append(out.Frames, f)
	}
	if len(out.Frames) == 0 || out.Offset+out.Length() < 0 {
		return Record{}, fmt.Errorf("%w: range of %d frames at %d", ErrCorrupt, len(out.Frames), off)
	}
	return Record{Kind: KindRange, Range: out}, nil
}

// end is io.EOF where the counts are right.
func (r *Reader) end(b []byte) error {
	records, bytes := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	if records != r.records || bytes != r.bytes {
		return fmt.Errorf("%w: %d records of %d bytes, the end says %d of %d", ErrCorrupt, r.records, r.bytes, records, bytes)
	}
	return io.EOF
}
