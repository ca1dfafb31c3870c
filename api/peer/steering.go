package peer

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"loggia/gallery"
	"loggia/transfer/pace"
)

// Sharers says how a receiver's limits are divided.
type Sharers struct {
	Part  int `json:"part"`            // of the node's limit that the sender may use, in thousandths
	Nodes int `json:"nodes"`           // among which the region's limit is divided before, where Share is not said
	Share int `json:"share,omitempty"` // of the region's limit that the node may use, in millionths; 0: it is not said
}

// Valid returns what is said within bounds: who says more than is possible gets the smallest part.
func (s Sharers) Valid() Sharers {
	return Sharers{min(max(s.Part, 1), Whole), min(max(s.Nodes, 1), maxNodes), min(max(s.Share, 0), Millionths)}
}

// Of returns the sender's part of a limit of the receiver's region, in bytes per second.
func (s Sharers) Of(rate int64) int64 {
	rate = rate * int64(s.Part) / Whole
	if s.Share > 0 {
		return int64(float64(rate) * float64(s.Share) / Millionths)
	}
	return rate / int64(max(s.Nodes, 1))
}

// Millionths make a region's limit.
const Millionths = 1_000_000

// Whole is the part of the only sender.
const Whole = 1000

const maxNodes = 1000

// Asked is what a request for frames says of itself.
type Asked struct {
	Disk    gallery.DiskID
	Class   pace.Class
	Sharers Sharers
	Links   bool // whether the receiver follows links to a store
}

// Steering paces what a client takes in.
type Steering interface {
	// Begin notes a request to a node until end is called. How limits are divided may change meanwhile: then the node is told.
	Begin(to gallery.NodeID) (n Sharers, end func())
	// Free says whether nothing that comes from a node is limited, as this node knows it.
	Free(from gallery.NodeID) bool
	// Arriving returns body at the pace that it may have; done ends it.
	Arriving(ctx context.Context, from gallery.NodeID, r Asked, body io.Reader) (paced io.Reader, done func())
}

type classKey struct{}

// WithClass gives the requests of a context a class, which may change while they are made. The sources between whoever knows it and this client know
// nothing of classes.
func WithClass(ctx context.Context, class func() pace.Class) context.Context {
	return context.WithValue(ctx, classKey{}, class)
}

func classOf(ctx context.Context) pace.Class {
	if class, ok := ctx.Value(classKey{}).(func() pace.Class); ok {
		return class()
	}
	return pace.Normal
}

// The headers of a request for frames. A node that does not know them serves all alike.
const (
	classHeader = "Loggia-Class"
	partHeader  = "Loggia-Part"
	nodesHeader = "Loggia-Nodes"
	shareHeader = "Loggia-Share"
	linksHeader = "Loggia-Links"
)

func (a Asked) header() http.Header {
	h := http.Header{classHeader: {a.Class.String()}, partHeader: {strconv.Itoa(a.Sharers.Part)}, nodesHeader: {strconv.Itoa(a.Sharers.Nodes)},
		shareHeader: {strconv.Itoa(a.Sharers.Share)}}
	if a.Links {
		h[linksHeader] = []string{"1"}
	}
	return h
}

func readAsked(r *http.Request) Asked {
	number := func(name string, otherwise int) int {
		n, err := strconv.Atoi(r.Header.Get(name))
		if err != nil {
			return otherwise
		}
		return n
	}
	return Asked{Disk: gallery.DiskID(r.PathValue("disk")), Class: pace.ParseClass(r.Header.Get(classHeader)),
		Links: r.Header.Get(linksHeader) == "1", Sharers: Sharers{number(partHeader, Whole), number(nodesHeader, 1), number(shareHeader, 0)}.Valid()}
}

// Shares are what a node says of its limits: to the others of its region which ones it uses, to those that it takes something from their part.
type Shares struct {
	Active  []string `json:"active,omitempty"`
	Sharers *Sharers `json:"sharers,omitempty"`
	Parts   *Parts   `json:"parts,omitempty"` // between nodes of a region; nil: the node lends nothing
}

// Parts are what a node says to another one of its region about the region's limits, in millionths of each.
type Parts struct {
	Wants map[string]int `json:"wants,omitempty"` // that it could use
	// Lent is what the one may use of the other's even share. In an answer it holds for the time that node/steering says, counted from the question;
	// in a question it takes back what is more.
	Lent   map[string]int `json:"lent,omitempty"`
	Serial uint64         `json:"serial"` // of what is lent; it grows
	Seen   uint64         `json:"seen"`   // the other's serial that was last taken in
}
