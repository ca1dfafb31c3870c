package v1

import "loggia/internal/digest"

// The bounds of Links.
const (
	MaxLinkRanges = 256
	MaxLinkSpans  = 32 // that a request names
)

// Links says what of a disk a client may read from the region's store itself, past the node. Its Paths are secrets: whoever has
// one can read that range until it runs out. What was asked for and is in no range comes from /frames.
type Links struct {
	Origin   string      `json:"origin,omitempty"`   // https://host[:port] of the store; empty: it gives no links
	CA       string      `json:"ca,omitempty"`       // certificates in PEM that vouch for the origin; empty: the client's own
	Insecure bool        `json:"insecure,omitempty"` // the store is configured to be reached by http
	Seconds  int         `json:"seconds,omitempty"`  // life of the links
	Ranges   []LinkRange `json:"ranges,omitempty"`
}

// LinkRange is read by GET of Path with the header `Range: bytes=<Offset>-<Offset+Length-1>`, which is signed: the link opens
// no other range. It is the stored bytes of whole frames, one behind the other.
type LinkRange struct {
	Path   string      `json:"path"` // and query
	Offset int64       `json:"offset"`
	Length int64       `json:"length"`
	Frames []LinkFrame `json:"frames"`
}

// LinkFrame is one frame of a range (docs/formats/frame.md).
type LinkFrame struct {
	Stored uint32      `json:"stored"` // bytes
	Chunks []LinkChunk `json:"chunks"` // all that it unpacks to, in order
}

// LinkChunk is one chunk of a frame.
type LinkChunk struct {
	ID     digest.Digest `json:"id"`
	Length uint32        `json:"length"`
}
