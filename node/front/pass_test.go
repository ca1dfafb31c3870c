package front

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"loggia/api/peer"
	"loggia/api/v1"
	"loggia/gallery"
)

// last is a leader that is asked once; no other is elected after it.
type last struct {
	Leadership
	replaced chan struct{} // closed: it leads no more
	asked    bool
}

func (*last) IsLeader() bool { return false }

func (l *last) WaitLeader(context.Context) (gallery.NodeID, error) {
	if l.asked {
		return "", &gallery.Error{Kind: gallery.ErrNoLeader, Message: "no leader is known"}
	}
	l.asked = true
	return "leader", nil
}

func (l *last) While(ctx context.Context, _ gallery.NodeID) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-l.replaced:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// TestWhatBecameOfAWrite: the refusal of a write that was passed on says that nothing was changed only where that is so.
func TestWhatBecameOfAWrite(t *testing.T) {
	for name, tc := range map[string]struct {
		answers func(w http.ResponseWriter) // nil: it cannot be reached
		want    gallery.Kind
	}{
		"unreached":        {nil, gallery.ErrNoLeader},
		"it leads no more": {said(gallery.ErrNoLeader), gallery.ErrNoLeader},
		"it does not know": {said(gallery.ErrUnknownOutcome), gallery.ErrUnknownOutcome},
		"the line is cut":  {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, gallery.ErrUnknownOutcome},
		"in azure's words": {func(w http.ResponseWriter) {
			http.Error(w, `{"error":{"code":"ServiceUnavailable"}}`, http.StatusServiceUnavailable)
		}, gallery.ErrUnknownOutcome},
		"it is replaced":    {nil, gallery.ErrUnknownOutcome},
		"words that are no": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, gallery.ErrUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			l := &last{replaced: make(chan struct{})}
			end := make(chan struct{})
			leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tc.answers == nil {
					close(l.replaced)
					<-end
					return
				}
				tc.answers(w)
			}))
			defer leader.Close()
			defer close(end)
			peers := peer.NewClient(func(ctx context.Context, _ gallery.NodeID) (net.Conn, error) {
				if name == "unreached" {
					return nil, errors.New("no way")
				}
				return (&net.Dialer{}).DialContext(ctx, "tcp", leader.Listener.Addr().String())
			})
			defer peers.Close()
			f := New(Options{Leader: l, Service: managed{}, Access: &door{}, Names: names{}, Tokens: tokens{}, Own: func(string) bool { return true }, Peers: peers,
				CaughtUp: func() bool { return true }, Join: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)})
			r := httptest.NewRequest(http.MethodPut, "/v1/galleries/g", strings.NewReader("{}"))
			r.Header.Set("Authorization", "Bearer operator")
			w := httptest.NewRecorder()
			f.Clients().ServeHTTP(w, r)
			var got v1.ErrorBody
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusServiceUnavailable || got.Error.Code != string(tc.want) {
				t.Errorf("%d %s, want 503 with %s", w.Code, w.Body, tc.want)
			}
			if changed := !strings.Contains(got.Error.Message, "nothing was changed"); changed != (tc.want == gallery.ErrUnknownOutcome) {
				t.Errorf("it says %q", got.Error.Message)
			}
		})
	}
}

// said is a leader's refusal.
func said(k gallery.Kind) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		status, e := v1.FromError(k)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v1.ErrorBody{Error: e})
	}
}
