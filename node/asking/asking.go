package asking

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"loggia/api/peer"
	"loggia/gallery"
)

// Leader is the way of a node's writes to the node that leads. It is safe for use by many goroutines.
//
// Where no answer comes, or not all of one, its methods fail with gallery.ErrUnknownOutcome if the leader may have got the write, and with
// gallery.ErrUnavailable if no connection came about: then nothing was done.
type Leader struct{ Peers *peer.Client }

// Propose implements proposal.Door.
func (l Leader) Propose(ctx context.Context, leader gallery.NodeID, data []byte) ([]byte, error) {
	var m mark
	out, err := l.Peers.Propose(m.trace(ctx), leader, data)
	if err != nil && !answered(err) {
		err = m.unanswered("propose", leader, err)
	}
	return out, err
}

// Forward passes a person's write on, with its body. The answer is the leader's, of whatever status; its body is the caller's to close.
func (l Leader) Forward(r *http.Request, leader gallery.NodeID, body []byte) (*http.Response, error) {
	var m mark
	resp, err := l.Peers.Forward(r.WithContext(m.trace(r.Context())), leader, body)
	if err != nil {
		err = m.unanswered("forward to the leader", leader, err)
	}
	return resp, err
}

// mark notes whether a request got a connection, over which it may have gone.
type mark struct{ connected atomic.Bool }

func (m *mark) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { m.connected.Store(true) }})
}

// unanswered is what becomes of a request that no answer came to.
func (m *mark) unanswered(op string, leader gallery.NodeID, err error) error {
	if !m.connected.Load() {
		return err
	}
	return &gallery.Error{Kind: gallery.ErrUnknownOutcome, Op: op, Resource: string(leader),
		Message: "the leader did not answer; the write may or may not have taken effect", Err: err}
}

// answered says whether the leader itself refused: its word carries no operation and no cause of this side.
func answered(err error) bool {
	var call *url.Error
	var g *gallery.Error
	return !errors.As(err, &call) && errors.As(err, &g) && g.Op == ""
}
