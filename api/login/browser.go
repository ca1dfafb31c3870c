package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// browserTime is how long a person may take.
const browserTime = 10 * time.Minute

// Browser logs in with a browser on this machine: authorization code with PKCE (RFC 7636) and a redirect to a port of
// the loopback address (RFC 8252, section 7.3), which listens for one answer.
func (s *Session) Browser(ctx context.Context, show func(Prompt)) (string, error) {
	if s.conf.Endpoint.AuthURL == "" {
		return "", errors.New("the issuer offers no login in a browser; use --device")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the browser: %w", err)
	}
	ctx, cancel := context.WithTimeout(s.with(ctx), browserTime)
	defer cancel()
	conf := s.conf
	conf.RedirectURL = "http://" + l.Addr().String() + callbackPath
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	back := &callback{state: state, answer: make(chan answer, 1)}
	srv := &http.Server{Handler: back, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends with Close below
	}()
	defer func() {
		// The browser gets its page before the port closes.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if srv.Shutdown(bounded) != nil {
			_ = srv.Close()
		}
		<-done
	}()
	show(Prompt{URL: conf.AuthCodeURL(state, oauth2.SetAuthURLParam("nonce", nonce), oauth2.S256ChallengeOption(verifier))})
	select {
	case a := <-back.answer:
		if a.err != nil {
			return "", a.err
		}
		token, err := idToken(conf.Exchange(ctx, a.code, oauth2.VerifierOption(verifier)))
		if err == nil && subtle.ConstantTimeCompare([]byte(nonceOf(token)), []byte(nonce)) != 1 {
			return "", errors.New("the ID token is not of this login: its nonce differs")
		}
		return token, err
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for the browser: %w", ctx.Err())
	}
}

const callbackPath = "/callback"

type answer struct {
	code string
	err  error
}

// callback takes the redirect. What does not carry our state is somebody else's.
type callback struct {
	state  string
	answer chan answer
}

func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.URL.Path != callbackPath || r.Method != http.MethodGet || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(c.state)) != 1 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	a := answer{code: q.Get("code")}
	if e := q.Get("error"); e != "" || a.code == "" {
		a.err = fmt.Errorf("the issuer refused the login: %s %s", clean(e), clean(q.Get("error_description")))
	}
	select {
	case c.answer <- a:
	default: // the first one counts
	}
	if a.err != nil {
		fmt.Fprintln(w, "The login was refused. You can close this page.")
		return
	}
	fmt.Fprintln(w, "You are logged in. You can close this page.")
}

// clean makes text of an address fit for a terminal.
func clean(s string) string {
	out := make([]rune, 0, 200)
	for _, r := range s {
		if len(out) == 200 {
			break
		}
		if r >= ' ' && r < 0x7f {
			out = append(out, r)
		}
	}
	return string(out)
}
