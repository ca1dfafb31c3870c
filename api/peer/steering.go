package peer

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"loggia/gallery"
	"loggia/transfer/pace"
)

// Sharers says among how many a receiver's limits are divided.
type Sharers struct {
	Sources int // nodes that it asks at present
	Nodes   int // nodes of its region that take something in at present
}

// Asked is what a request for frames says of itself.
type Asked struct {
	Disk    gallery.DiskID
	Class   pace.Class
	Sharers Sharers
}

// Steering paces what a client takes in.
type Steering interface {
	// Begin notes a request to a node until end is called.
	Begin(to gallery.NodeID) (n Sharers, end func())
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
	classHeader   = "Loggia-Class"
	sourcesHeader = "Loggia-Sources"
	nodesHeader   = "Loggia-Nodes"
)

func (a Asked) header() http.Header {
	return http.Header{classHeader: {a.Class.String()}, sourcesHeader: {strconv.Itoa(a.Sharers.Sources)}, nodesHeader: {strconv.Itoa(a.Sharers.Nodes)}}
}

// maxSharers bounds what a receiver says: one that says more gets the smallest part.
const maxSharers = 1000

func readAsked(r *http.Request) Asked {
	n := func(name string) int {
		n, err := strconv.Atoi(r.Header.Get(name))
		if err != nil {
			return 1
		}
		return min(max(n, 1), maxSharers)
	}
	return Asked{Disk: gallery.DiskID(r.PathValue("disk")), Class: pace.ParseClass(r.Header.Get(classHeader)), Sharers: Sharers{n(sourcesHeader), n(nodesHeader)}}
}

// shares are the limits that a node uses.
type shares struct {
	Active []string `json:"active"`
}
