package peer

import (
	"context"
	"io"
	"net/http"

	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/replicate"
	"loggia/transfer/wire"
)

// Service is what the handlers ask of the node.
type Service interface {
	// Member says whether the node that a connection's certificate names belongs to the cluster.
	Member(node gallery.NodeID) bool
	// Propose puts a node's own report into the log; this node must lead. Other kinds of commands
	// are refused with gallery.ErrForbidden.
	Propose(ctx context.Context, from gallery.NodeID, data []byte) ([]byte, error)
	Term() uint64
	// Understands returns the newest cluster version that the node's binary understands.
	Understands() uint32
	// ReadIndex returns an index that includes every write acknowledged before the call; this
	// node must lead (else gallery.ErrNoLeader).
	ReadIndex(ctx context.Context) (uint64, error)
	HashAt(index uint64) (digest.Digest, bool)
	Live() []Live
	// Have returns the pieces of a disk whose copy is being made here, announced after m. It waits a few seconds for
	// some. A disk of which no copy is made here has none.
	Have(ctx context.Context, disk gallery.DiskID, m replicate.Mark) replicate.Have
	// Frames writes frames that hold the wanted chunks of a disk that is whole here, or of which a copy is being made. It
	// ends a stream with CodeBusy where too many are sent to already, before the first frame. With links it may write links to
	// frames in its store instead.
	Frames(ctx context.Context, disk gallery.DiskID, want []chunk.ID, links bool, w *wire.Writer) error
	// Outgoing returns w at the pace of what may go to a node; it may wait.
	Outgoing(ctx context.Context, to gallery.NodeID, r Asked, w io.Writer) (Way, error)
	// Shares notes what a node says of its limits, and returns what this one says to it.
	Shares(from gallery.NodeID, s Shares) Shares
	// Forwarded serves a person's request that another node passed on.
	Forwarded() http.Handler
}

// Way is how an answer goes to another node.
type Way struct {
	io.Writer        // at the pace that it may have
	Free      bool   // nothing is limited on it
	Done      func() // ends it
}

// Live is a transfer of the answering node at this moment.
type Live struct {
	Disk    gallery.DiskID `json:"disk"`
	Slot    int            `json:"slot"`
	Source  string         `json:"source,omitempty"`
	Total   int64          `json:"total"`
	Have    int64          `json:"have"`
	Sent    int64          `json:"sent"`
	Rate    float64        `json:"rate"`
	ETA     float64        `json:"eta,omitempty"`   // seconds
	Started int64          `json:"started"`         // Unix seconds
	Still   float64        `json:"still,omitempty"` // seconds since a byte last came

	Sources []LiveSource `json:"sources,omitempty"`
	Retries int          `json:"retries,omitempty"`
	Wasted  int64        `json:"wasted,omitempty"`
}

// Left returns the bytes still to come.
func (l Live) Left() int64 { return max(0, l.Total-l.Have-l.Sent) }

// LiveSource is a place that a transfer takes bytes from.
type LiveSource struct {
	Name     string  `json:"name"`
	Bytes    int64   `json:"bytes"`
	Rate     float64 `json:"rate,omitempty"`
	InFlight int     `json:"inFlight,omitempty"`
	Failed   string  `json:"failed,omitempty"`
}

// CodeBusy is the code of an error record that says: ask again later. Its text is a duration.
const CodeBusy = "busy"

// IndexHeader carries the log index that a forwarded write reached: the node that passed it on
// waits for it before it answers, so that the person reads their own write there.
const IndexHeader = "Loggia-Index"

// MaxWant bounds the chunks of one request for frames.
const MaxWant = 1 << 16
