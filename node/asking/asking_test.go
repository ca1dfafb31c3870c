package asking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"loggia/api/peer"
	"loggia/api/v1"
	"loggia/gallery"
)

// leader is a leader that answers in some way, and a client of it. It says on asked that it got the write.
func leader(t *testing.T, answer http.HandlerFunc) (l Leader, asked chan struct{}) {
	t.Helper()
	asked = make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		asked <- struct{}{}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	c := peer.NewClient(func(ctx context.Context, _ gallery.NodeID) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	})
	t.Cleanup(c.Close)
	return Leader{c}, asked
}

func refuse(err error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, e := v1.FromError(err)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v1.ErrorBody{Error: e})
	}
}

// TestPropose: what the leader says is what it was; where it says nothing, the outcome is unknown.
func TestPropose(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   gallery.Kind
	}{
		"taken":                    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }, ""},
		"refused":                  {refuse(&gallery.Error{Kind: gallery.ErrForbidden, Op: "accept report"}), gallery.ErrForbidden},
		"it leads no more":         {refuse(&gallery.Error{Kind: gallery.ErrNoLeader}), gallery.ErrNoLeader},
		"not understood by all":    {refuse(&gallery.Error{Kind: gallery.ErrUnavailable, Op: "replica.claim", Message: "it needs cluster version 9"}), gallery.ErrUnavailable},
		"it does not know itself":  {refuse(&gallery.Error{Kind: gallery.ErrUnknownOutcome}), gallery.ErrUnknownOutcome},
		"the connection breaks":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, gallery.ErrUnknownOutcome},
		"the answer is cut":        {cut(http.StatusOK), gallery.ErrUnknownOutcome},
		"the refusal is cut":       {cut(http.StatusServiceUnavailable), gallery.ErrUnknownOutcome},
		"an answer of nobody ours": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, gallery.ErrUnknownOutcome},
	} {
		l, _ := leader(t, tc.answer)
		out, err := l.Propose(t.Context(), "leader", []byte("x"))
		if got := gallery.KindOf(err); got != tc.want || err == nil && string(out) != "ok" {
			t.Errorf("%s: %q, %v, want %s", name, out, err, tc.want)
		}
	}
}

// cut is an answer that promises more than comes.
func cut(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":{"code":`))
		panic(http.ErrAbortHandler)
	}
}

// TestReplaced: a leader that is replaced while it has the write may have taken it.
func TestReplaced(t *testing.T) {
	held := make(chan struct{})
	l, asked := leader(t, func(http.ResponseWriter, *http.Request) { <-held })
	t.Cleanup(func() { close(held) }) // before the server is closed
	gone := errors.New("the leader was replaced meanwhile")
	for name, send := range map[string]func(context.Context) error{
		"a report": func(ctx context.Context) error {
			_, err := l.Propose(ctx, "leader", []byte("x"))
			return err
		},
		"a person's write": func(ctx context.Context) error {
			resp, err := l.Forward(httptest.NewRequestWithContext(ctx, http.MethodPut, "/v1/galleries/g", http.NoBody), "leader", []byte("{}"))
			if err == nil {
				resp.Body.Close()
			}
			return err
		},
	} {
		during, replaced := context.WithCancelCause(t.Context())
		go func() {
			<-asked
			replaced(gone)
		}()
		if err := send(during); gallery.KindOf(err) != gallery.ErrUnknownOutcome {
			t.Errorf("%s: %v, want %s", name, err, gallery.ErrUnknownOutcome)
		}
	}
}

// TestUnreached: without a connection nothing was done.
func TestUnreached(t *testing.T) {
	c := peer.NewClient(func(context.Context, gallery.NodeID) (net.Conn, error) { return nil, errors.New("no way") })
	l := Leader{c}
	if _, err := l.Propose(t.Context(), "leader", []byte("x")); gallery.KindOf(err) != gallery.ErrUnavailable {
		t.Errorf("a report: %v", err)
	}
	resp, err := l.Forward(httptest.NewRequest(http.MethodPut, "/v1/galleries/g", http.NoBody), "leader", []byte("{}"))
	if err == nil {
		resp.Body.Close()
	}
	if gallery.KindOf(err) != gallery.ErrUnavailable {
		t.Errorf("a person's write: %v", err)
	}
}
