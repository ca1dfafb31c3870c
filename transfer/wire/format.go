package wire

import (
	"errors"
	"fmt"
	"time"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// The measures of format version 1 (docs/formats/wire.md). Lengths are in bytes.
const (
	Version    = 1
	HeaderSize = 8 // of a stream

	MaxRecord = 5 << 20 // payload of one record: a frame of 4 MiB that does not compress, and its chunks
	MaxRefs   = manifest.MaxFrameChunks
	MaxIDs    = 1 << 14 // ids of one record of Chunks or Missing
	MaxSpans  = 1 << 13 // spans of one record
	MaxNode   = manifest.MaxNode
	MaxText   = 4 << 10 // text of an error

	MaxOrigin = 512       // origin of a store
	MaxCA     = 256 << 10 // certificates that vouch for it
	MaxPath   = 8 << 10   // path and query of a link

	// MinBuffer is the least buffer of a Reader: it holds every record but frames and large nodes.
	MinBuffer = MaxIDs * digest.Size

	recordHeaderSize = 8
	refSize          = digest.Size + 4
	spanSize         = 8 + digest.Size + 8 + 8
	endSize          = 8 + 8
	storeSize        = 4 + 2 // and the origin, at least a byte, and the CA
	rangeSize        = 8 + 2 // and the path, at least a byte, and the frames
	rangeFrameSize   = 4 + 4 // and the chunks
	maxCode          = 64
)

const magic = "LgWr"

// ContentType names a stream in HTTP.
const ContentType = "application/vnd.loggia.records"

// Kind says what a record is.
type Kind byte

// The kinds of records. Numbers are never used again for anything else.
const (
	KindFrame   Kind = 1 // a frame's stored bytes, and the chunks it unpacks to
	KindNode    Kind = 2 // a node of a manifest or a frame table; its id is its SHA-256
	KindLeaf    Kind = 3 // the manifest leaf of a span
	KindChunks  Kind = 4 // ids of chunks
	KindMissing Kind = 5 // ids of what was asked for and is not there
	KindSpans   Kind = 6 // finished spans
	KindError   Kind = 7 // why the stream ends here
	KindEnd     Kind = 8 // the stream is whole

	KindStore Kind = 9  // where the ranges behind it are read from; only to who says that it knows these two
	KindRange Kind = 10 // a link to frames of a store, in place of these
)

// String returns the kind's name.
func (k Kind) String() string {
	names := [...]string{"", "frame", "node", "leaf", "chunks", "missing", "spans", "error", "end", "store", "range"}
	if k == 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind %d", byte(k))
	}
	return names[k]
}

// Record is one record of a stream. Its Kind says which fields are set. Slices belong to the
// Reader and are valid until its next Next.
type Record struct {
	Kind  Kind
	Refs  []chunk.Ref        // Frame: may be empty where the receiver knows them from a frame table
	Data  []byte             // Frame: stored bytes; Node, Leaf: the node
	Span  int64              // Leaf
	IDs   []chunk.ID         // Chunks, Missing
	Spans []manifest.SpanRef // Spans
	Store Store              // Store
	Range Range              // Range
}

// Store is where links lead to.
type Store struct {
	Origin string        // scheme, host and port
	CA     string        // certificates in PEM that vouch for it; empty: the system's
	Life   time.Duration // of the links, in seconds
}

// Range is a link to frames that follow each other in a store without a gap. It is a secret, and stays valid when the Reader goes on.
type Range struct {
	Path   string // and query
	Offset int64
	Frames []RangeFrame
}

// Length is the number of bytes.
func (r *Range) Length() (n int64) {
	for _, f := range r.Frames {
		n += int64(f.Stored)
	}
	return n
}

// AddChunks adds everything in frames to a set.
func AddChunks(to map[chunk.ID]bool, frames []RangeFrame) {
	for _, f := range frames {
		for _, ref := range f.Refs {
			to[ref.ID] = true
		}
	}
}

// RangeFrame is one frame of a range.
type RangeFrame struct {
	Stored uint32
	Refs   []chunk.Ref // everything in it, in order
}

// The reasons for refusing a stream.
var (
	// ErrCorrupt: the bytes are no stream, or contradict each other.
	ErrCorrupt = errors.New("corrupt record stream")
	// ErrTruncated: the stream ends before its end record.
	ErrTruncated = errors.New("truncated record stream")
	// ErrVersion: the stream is of a version newer than this program knows.
	ErrVersion = errors.New("unknown record stream version")
	// ErrLimit: a length or a count is beyond what a record may have, or beyond the reader's buffer.
	ErrLimit = errors.New("record limit exceeded")
	// ErrEnded: the Writer has already written an end or an error.
	ErrEnded = errors.New("record stream has ended")
)

// RemoteError is the error with which the other side ended its stream.
type RemoteError struct {
	Code string // one word for programs
	Text string // for people
}

// Error returns the text and the code.
func (e *RemoteError) Error() string {
	return fmt.Sprintf("the other side ended the stream: %s (%s)", e.Text, e.Code)
}

// FrameSize is the length of a frame's record in a stream.
func FrameSize(refs, stored int) int { return recordHeaderSize + 4 + refs*refSize + stored }

// LeafSize is the length of a leaf's record in a stream.
func LeafSize(node int) int { return recordHeaderSize + 8 + node }

// EndSize is the length of the end record.
const EndSize = recordHeaderSize + endSize
