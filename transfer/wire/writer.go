package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"

	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// Writer writes one stream. It does not buffer: each record is one or two calls of Write. It is
// for one goroutine. After an error of the underlying writer every call returns that error.
type Writer struct {
	w       io.Writer
	scratch []byte
	begun   bool
	ended   bool
	records uint64
	bytes   uint64
	err     error
}

// NewWriter writes to w; the stream's header goes out with the first record.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Reset makes the Writer begin a new stream on w.
func (w *Writer) Reset(to io.Writer) { *w = Writer{w: to, scratch: w.scratch[:0]} }

// Frame writes a frame and the chunks it unpacks to; no chunks where the receiver knows them.
func (w *Writer) Frame(refs []chunk.Ref, stored []byte) error {
	if len(refs) > MaxRefs || len(stored) == 0 || FrameSize(len(refs), len(stored))-recordHeaderSize > MaxRecord {
		return fmt.Errorf("%w: frame of %d bytes and %d chunks", ErrLimit, len(stored), len(refs))
	}
	b := binary.LittleEndian.AppendUint32(w.begin(), uint32(len(refs)))
	return w.write(KindFrame, writeRefs(b, refs), stored)
}

func writeRefs(b []byte, refs []chunk.Ref) []byte {
	for i := range refs {
		b = append(b, refs[i].ID[:]...)
		b = binary.LittleEndian.AppendUint32(b, refs[i].Length)
	}
	return b
}

// Store says where the ranges behind it are read from.
func (w *Writer) Store(s Store) error {
	if s.Origin == "" || len(s.Origin) > MaxOrigin || len(s.CA) > MaxCA || s.Life < 0 || s.Life/time.Second > math.MaxUint32 {
		return fmt.Errorf("%w: store with an origin of %d bytes and a CA of %d", ErrLimit, len(s.Origin), len(s.CA))
	}
	b := binary.LittleEndian.AppendUint32(w.begin(), uint32(s.Life/time.Second))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s.Origin)))
	return w.write(KindStore, append(append(b, s.Origin...), s.CA...), nil)
}

// Range writes a link to frames.
func (w *Writer) Range(r Range) error {
	if r.Path == "" || len(r.Path) > MaxPath || r.Offset < 0 || len(r.Frames) == 0 || r.Offset+r.Length() < 0 {
		return fmt.Errorf("%w: range of %d frames at %d with a path of %d bytes", ErrLimit, len(r.Frames), r.Offset, len(r.Path))
	}
	b := binary.LittleEndian.AppendUint64(w.begin(), uint64(r.Offset))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Path)))
	b = append(b, r.Path...)
	for _, f := range r.Frames {
		if f.Stored == 0 || f.Stored > MaxRecord || len(f.Refs) > MaxRefs {
			return fmt.Errorf("%w: frame of %d bytes and %d chunks in a range", ErrLimit, f.Stored, len(f.Refs))
		}
		b = binary.LittleEndian.AppendUint32(b, f.Stored)
		b = writeRefs(binary.LittleEndian.AppendUint32(b, uint32(len(f.Refs))), f.Refs)
	}
	if len(b)-HeaderSize-recordHeaderSize > MaxRecord {
		return fmt.Errorf("%w: range of %d frames", ErrLimit, len(r.Frames))
	}
	return w.write(KindRange, b, nil)
}

// Node writes a node of a manifest or a frame table.
func (w *Writer) Node(node []byte) error {
	if len(node) == 0 || len(node) > MaxNode {
		return fmt.Errorf("%w: node of %d bytes", ErrLimit, len(node))
	}
	return w.write(KindNode, w.begin(), node)
}

// Leaf writes the manifest leaf of a span.
func (w *Writer) Leaf(span int64, node []byte) error {
	if span < 0 || len(node) == 0 || len(node) > MaxNode {
		return fmt.Errorf("%w: leaf of span %d of %d bytes", ErrLimit, span, len(node))
	}
	return w.write(KindLeaf, binary.LittleEndian.AppendUint64(w.begin(), uint64(span)), node)
}

// Chunks writes ids of chunks, in as many records as they need.
func (w *Writer) Chunks(ids []chunk.ID) error { return w.ids(KindChunks, ids) }

// Missing writes ids of what was asked for and is not there, in as many records as they need.
func (w *Writer) Missing(ids []chunk.ID) error { return w.ids(KindMissing, ids) }

func (w *Writer) ids(k Kind, ids []chunk.ID) error {
	for len(ids) > 0 {
		n := min(len(ids), MaxIDs)
		b := w.begin()
		for i := range ids[:n] {
			b = append(b, ids[i][:]...)
		}
		if err := w.write(k, b, nil); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// Spans writes finished spans, in as many records as they need.
func (w *Writer) Spans(spans []manifest.SpanRef) error {
	le := binary.LittleEndian
	for len(spans) > 0 {
		n := min(len(spans), MaxSpans)
		b := w.begin()
		for _, s := range spans[:n] {
			b = le.AppendUint64(b, uint64(s.Span))
			b = append(b, s.ID[:]...)
			b = le.AppendUint64(b, uint64(s.Bytes))
			b = le.AppendUint64(b, uint64(s.Count))
		}
		if err := w.write(KindSpans, b, nil); err != nil {
			return err
		}
		spans = spans[n:]
	}
	return nil
}

// Error ends the stream with a reason. A longer text is cut.
func (w *Writer) Error(code, text string) error {
	if len(code) == 0 || len(code) > maxCode {
		return fmt.Errorf("%w: error code of %d bytes", ErrLimit, len(code))
	}
	b := append(w.begin(), byte(len(code)))
	b = append(b, code...)
	err := w.write(KindError, append(b, text[:min(len(text), MaxText)]...), nil)
	w.ended = true
	return err
}

// End ends the stream: without it the reader takes the stream for truncated.
func (w *Writer) End() error {
	b := binary.LittleEndian.AppendUint64(w.begin(), w.records)
	err := w.write(KindEnd, binary.LittleEndian.AppendUint64(b, w.bytes), nil)
	w.ended = true
	return err
}

// Size is the number of bytes that the stream has so far, its header included.
func (w *Writer) Size() int64 {
	if !w.begun {
		return HeaderSize
	}
	return HeaderSize + int64(w.records)*recordHeaderSize + int64(w.bytes)
}

// begin returns the scratch buffer with room left for the headers.
func (w *Writer) begin() []byte {
	const room = HeaderSize + recordHeaderSize
	if cap(w.scratch) < room {
		w.scratch = make([]byte, room, 4<<10)
	}
	return w.scratch[:room]
}

// write sends a record whose payload is head, as begin gave it and more, and then tail.
func (w *Writer) write(k Kind, head, tail []byte) error {
	if w.ended {
		return ErrEnded
	}
	if w.err != nil {
		return w.err
	}
	w.scratch = head
	payload := len(head) - HeaderSize - recordHeaderSize + len(tail)
	h := head[HeaderSize:]
	h[0], h[1], h[2], h[3] = byte(k), 0, 0, 0
	binary.LittleEndian.PutUint32(h[4:], uint32(payload))
	if !w.begun {
		copy(head, magic)
		copy(head[len(magic):], []byte{Version, 0, 0, 0})
		h = head
		w.begun = true
	}
	if _, w.err = w.w.Write(h); w.err != nil {
		return w.err
	}
	if len(tail) > 0 {
		if _, w.err = w.w.Write(tail); w.err != nil {
			return w.err
		}
	}
	w.records++
	w.bytes += uint64(payload)
	return nil
}
