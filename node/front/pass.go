package front

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"loggia/api/v1"
	"loggia/gallery"
	"loggia/node/asking"
)

// askAgain is the pause before another leader is asked.
const askAgain = 20 * time.Millisecond

// pass asks the leader, and the next one where that is lost: the request id makes it one write.
func (f *Front) pass(w http.ResponseWriter, r *http.Request, body []byte, next http.Handler) error {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var t tries
	for {
		leader, err := f.o.Leader.WaitLeader(ctx)
		if err != nil {
			return t.refusal("the cluster has no leader that this node can reach", err)
		}
		if leader == f.o.Self {
			if err := f.o.Leader.Settle(ctx); err != nil {
				return t.refusal("this node has just begun to lead, or leads no more", err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
			return nil
		}
		done, err := f.try(ctx, w, r, leader, body, &t)
		if done {
			return err
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return t.refusal("the leader could not be reached in time", err)
		}
	}
}

// try asks one leader. Where that has no answer for the caller another may be asked.
func (f *Front) try(ctx context.Context, w http.ResponseWriter, r *http.Request, leader gallery.NodeID, body []byte, t *tries) (done bool, err error) {
	// A leader that is cut off does not even refuse: the next one is asked as soon as there is one.
	during, over := f.o.Leader.While(ctx, leader)
	defer over()
	resp, err := asking.Leader{Peers: f.o.Peers}.Forward(r.WithContext(during), leader, body)
	if err != nil {
		t.maybe = t.maybe || errors.Is(err, gallery.ErrUnknownOutcome)
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || ctx.Err() != nil {
		return true, f.relay(w, r, resp)
	}
	t.maybe = t.maybe || !leaderless(resp.Body)
	return false, nil
}

// leaderless says whether an answer is that nobody leads there, and so that nothing was done. Azure's words tell no unknown outcome from that: they
// prove nothing.
func leaderless(body io.Reader) bool {
	var e v1.ErrorBody
	err := json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&e)
	return err == nil && e.Error.Code == string(gallery.ErrNoLeader)
}

// tries is what is known of a write that was passed on.
type tries struct{ maybe bool } // some leader may have taken it

// refusal is the error where no leader is left to be asked.
func (t *tries) refusal(what string, err error) error {
	if t.maybe {
		return &gallery.Error{Kind: gallery.ErrUnknownOutcome, Message: what + "; the write may or may not have taken effect", Err: err}
	}
	return &gallery.Error{Kind: gallery.ErrNoLeader, Message: what + "; nothing was changed", Err: err}
}
