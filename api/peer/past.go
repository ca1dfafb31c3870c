package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"loggia/gallery"
	"loggia/internal/ranged"
	"loggia/transfer/replicate"
	"loggia/transfer/wire"
)

// The measures of reading past other nodes.
const (
	// respite is how long a store is left alone that cannot be read from here: most never can be, and one request finds that out.
	respite = 10 * time.Minute
	// maxStrikes in a row end the trust in a store that could be read before.
	maxStrikes = 3
	maxOrigins = 256
	connect    = 2 * time.Second
	// mostTogether is how many frames of a range are shown at once. Two are hashed in the time of one (docs/adr/0032); the more there are,
	// the less often one is left over.
	mostTogether = 8
)

// past knows which nodes' stores can be read from here, past their nodes. It is safe for use by many goroutines.
type past struct {
	stores *ranged.Clients
	bytes  atomic.Int64 // that came so
	log    *slog.Logger

	mu sync.Mutex
	of map[gallery.NodeID]*ways
}

// ways is what is known of a node's store.
type ways struct {
	proven  bool // something came from there
	trying  bool // a request finds out whether something does
	strikes int  // failures since all came that a request was given links to
	until   time.Time
}

func newPast() *past {
	return &past{stores: &ranged.Clients{Options: ranged.Options{Agent: "loggia", Connect: connect}, Max: maxOrigins},
		log: slog.New(slog.DiscardHandler), of: map[gallery.NodeID]*ways{}}
}

// begin says whether a request asks for links. Of a store that was not read yet one at a time does.
func (p *past) begin(n gallery.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.of[n]
	if w == nil {
		w = &ways{}
		p.of[n] = w
	}
	if !w.proven && w.trying || time.Now().Before(w.until) {
		return false
	}
	w.trying = true
	return true
}

// came notes a frame from a node's store.
func (p *past) came(n gallery.NodeID, bytes int) {
	p.bytes.Add(int64(bytes))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[n].proven = true
}

// end notes the end of a request that asked for links: whether it got some and all came, or what went wrong with one.
func (p *past) end(n gallery.NodeID, all bool, failed error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.of[n]
	w.trying = false
	if all {
		w.strikes = 0
	}
	if failed == nil {
		return
	}
	if w.strikes++; !w.proven || w.strikes >= maxStrikes {
		*w = ways{until: time.Now().Add(respite)}
		p.log.Info("a store of another region is not read from here; its node sends", "peer", n, "for", respite, "why", failed)
	}
}

// errLimited: a limit came while ranges were read. What is under it goes through the nodes, who hold to it.
var errLimited = errors.New("the way is limited now")

// follow reads the ranges. It returns what is left of them where the store fails, and why, or where a limit came; own is an error
// of the frames' user, or of ctx.
func (a *asking) follow(ctx context.Context) (left []wire.Range, failed, own error) {
	if len(a.ranges) == 0 {
		return nil, nil, nil
	}
	store, err := a.c.past.stores.Of(a.store.Origin, a.store.CA, false)
	if err != nil {
		return a.ranges, err, nil
	}
	ends := time.Now().Add(a.store.Life)
	a.most = 1 // The first frame tells how far the store is, and whether it can be read at all.
	for i := range a.ranges {
		left = a.ranges[i:]
		if time.Now().After(ends) {
			return left, nil, nil
		}
		own, failed = a.through(ctx, store, &a.ranges[i])
		switch {
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case own != nil:
			return nil, nil, own
		case errors.Is(failed, errLimited):
			return left, nil, nil
		case failed != nil:
			return left, failed, nil
		}
	}
	return nil, nil, nil
}

// through reads one range, some frames at a time, and leaves in it what has not come. Wrong bytes are the store's fault: all frames that were shown together with
// them are left, and those of them that were kept come once more.
func (a *asking) through(ctx context.Context, store *ranged.Client, x *wire.Range) (own, failed error) {
	body, err := store.Get(ctx, x.Path, x.Offset, x.Length())
	if err != nil {
		return nil, err
	}
	defer body.Close()
	arriving, done := a.arriving(ctx, body)
	defer done()
	for len(x.Frames) > 0 {
		n, size := fit(x.Frames, a.most, len(a.room))
		room := a.room
		if size > len(room) {
			room = make([]byte, size) // of one frame: at most wire.MaxRecord
		}
		if !a.c.free(a.node) {
			return nil, errLimited
		}
		got, broke := io.ReadFull(arriving, room[:size])
		frames := cut(x.Frames[:n], room[:got])
		if len(frames) > 0 {
			if err := a.fn(frames); errors.Is(err, replicate.ErrLied) {
				return nil, fmt.Errorf("read from its store: %w", err)
			} else if err != nil {
				return err, nil
			}
		}
		for _, f := range frames {
			a.c.past.came(a.node, len(f.Stored))
		}
		x.Frames = x.Frames[len(frames):]
		if broke != nil {
			return nil, broke
		}
		a.most = mostTogether
	}
	return nil, nil
}

// fit returns how many of the frames, the first at least and most at most, are read into a room of so many bytes, and the bytes that they have.
func fit(frames []wire.RangeFrame, most, room int) (n, size int) {
	n, size = 1, int(frames[0].Stored)
	for n < min(most, len(frames)) && size+int(frames[n].Stored) <= room {
		size += int(frames[n].Stored)
		n++
	}
	return n, size
}

// cut returns the frames that are whole in bytes that have come of them.
func cut(frames []wire.RangeFrame, b []byte) []replicate.Arrived {
	out := make([]replicate.Arrived, 0, len(frames))
	for _, f := range frames {
		if int(f.Stored) > len(b) {
			break
		}
		out = append(out, replicate.Arrived{Stored: b[:f.Stored:f.Stored], Refs: f.Refs})
		b = b[f.Stored:]
	}
	return out
}
