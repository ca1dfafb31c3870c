package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"loggia/gallery"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/replicate"
	"loggia/transfer/wire"
)

// UseFrames is shown frames that arrived, one at least; bytes and refs are valid until it returns.
type UseFrames func(frames []replicate.Arrived) error

// Frames asks a node for chunks of a disk and calls fn for the frames that arrive, from the node or, by links that it gives, from its store.
// The error of a node that has too much to do is a *replicate.Busy.
func (c *Client) Frames(ctx context.Context, node gallery.NodeID, disk gallery.DiskID, pool *buffer.Pool, want []chunk.ID, fn UseFrames) ([]chunk.ID, error) {
	room, err := pool.Get(ctx, usualRecord)
	if err != nil {
		return nil, err
	}
	defer room.Release()
	a := &asking{c: c, node: node, room: room.Bytes(), fn: fn,
		asked: Asked{Disk: disk, Class: classOf(ctx), Sharers: Sharers{Part: Whole, Nodes: 1}, Links: c.free(node) && c.past.begin(node)}}
	if c.Steering != nil {
		var end func()
		a.asked.Sharers, end = c.Steering.Begin(node)
		defer end()
	}
	missing, err := a.ask(ctx, want)
	if !a.asked.Links {
		return missing, err
	}
	var left []wire.Range
	var failed error
	if err == nil {
		left, failed, err = a.follow(ctx)
	}
	c.past.end(node, len(a.ranges) > 0 && len(left) == 0 && err == nil, failed)
	if err != nil || len(left) == 0 {
		return missing, err
	}
	// The node gives the same bytes.
	a.asked.Links = false
	more, err := a.ask(ctx, wanted(want, left))
	return append(missing, more...), err
}

// free says whether what comes from a node is under no limit.
func (c *Client) free(node gallery.NodeID) bool { return c.Steering == nil || c.Steering.Free(node) }

// asking is a question for frames and its answers.
type asking struct {
	c     *Client
	node  gallery.NodeID
	asked Asked
	room  []byte
	fn    UseFrames

	// What is to be read from the node's store.
	store  wire.Store
	ranges []wire.Range
	most   int // frames of a range that are read and shown together
}

// usualRecord holds the frames that publishers make, in bytes; a longer one gets memory of its own.
const usualRecord = 1 << 20

// ask sends the question and takes the answer in: frames at once, links for later.
func (a *asking) ask(ctx context.Context, want []chunk.ID) (missing []chunk.ID, err error) {
	var body bytes.Buffer
	w := wire.NewWriter(&body)
	if err := errors.Join(w.Chunks(want), w.End()); err != nil {
		return nil, err
	}
	resp, err := a.c.request(ctx, http.MethodPost, a.node, "/peer/v1/disks/"+string(a.asked.Disk)+"/frames", body.Bytes(), a.asked.header())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	arriving, done := a.arriving(ctx, resp.Body)
	defer done()
	missing, err = a.read(arriving)
	return missing, busy(err)
}

// arriving returns bytes of the answer at the pace that they may have.
func (a *asking) arriving(ctx context.Context, body io.Reader) (paced io.Reader, done func()) {
	if a.c.Steering == nil {
		return body, func() {}
	}
	return a.c.Steering.Arriving(ctx, a.node, a.asked, body)
}

// maxRanges bounds the links of one answer: there are never as many as chunks that can be asked for.
const maxRanges = 1 << 12

// read reads a stream and returns the ids that it says are missing.
func (a *asking) read(body io.Reader) (missing []chunk.ID, err error) {
	r := wire.NewReader(body, a.room)
	r.Grow = func(n int) ([]byte, error) { return make([]byte, n), nil }
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return missing, nil
		case err != nil:
			return missing, err
		case rec.Kind == wire.KindFrame:
			if err := a.fn([]replicate.Arrived{{Stored: rec.Data, Refs: rec.Refs}}); err != nil {
				return missing, err
			}
		case rec.Kind == wire.KindMissing:
			missing = append(missing, rec.IDs...)
		case rec.Kind == wire.KindStore && a.asked.Links && a.store.Origin == "":
			a.store = rec.Store
		case rec.Kind == wire.KindRange && a.store.Origin != "" && len(a.ranges) < maxRanges:
			a.ranges = append(a.ranges, rec.Range)
		default:
			return missing, fmt.Errorf("a %s record among frames", rec.Kind)
		}
	}
}

// wanted returns what of the wanted chunks ranges hold.
func wanted(want []chunk.ID, ranges []wire.Range) []chunk.ID {
	held := map[chunk.ID]bool{}
	for _, x := range ranges {
		wire.AddChunks(held, x.Frames)
	}
	return slices.DeleteFunc(slices.Clone(want), func(id chunk.ID) bool { return !held[id] })
}
