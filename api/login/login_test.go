package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// issuer is an OpenID provider whose every answer may be changed. (That a real one is understood is shown by testing/e2e.)
type issuer struct {
	*httptest.Server
	document map[string]string
	token    map[string]any
	status   int
	forms    []url.Values
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{status: 200}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(i.document) })
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		i.forms = append(i.forms, r.PostForm)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(i.status)
		_ = json.NewEncoder(w).Encode(i.token)
	})
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"device_code": "d", "user_code": "ABCD", "verification_uri": i.document["page"], "interval": 1, "expires_in": 60})
	})
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	i.document = map[string]string{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "device_authorization_endpoint": i.URL + "/device", "page": i.URL + "/page"}
	i.token = map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": idTokenWith(t, "")}
	return i
}

func idTokenWith(t *testing.T, nonce string) string {
	t.Helper()
	b, err := json.Marshal(map[string]string{"nonce": nonce})
	if err != nil {
		t.Fatal(err)
	}
	return "e30." + base64.RawURLEncoding.EncodeToString(b) + ".c2ln"
}

func (i *issuer) begin(t *testing.T) (*Session, error) {
	t.Helper()
	return Begin(t.Context(), Issuer{URL: i.URL, ClientID: "cli", CACert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})})
}

func TestBeginRefuses(t *testing.T) {
	for name, change := range map[string]func(*issuer){
		"another issuer":       func(i *issuer) { i.document["issuer"] = "https://example.org" },
		"a plain endpoint":     func(i *issuer) { i.document["token_endpoint"] = "http://example.org/token" },
		"another scheme":       func(i *issuer) { i.document["authorization_endpoint"] = "file:///etc/passwd" },
		"an endpoint in words": func(i *issuer) { i.document["device_authorization_endpoint"] = "device" },
		"nothing":              func(i *issuer) { i.document = nil },
		"no issuer there":      func(i *issuer) { i.Close() },
	} {
		i := newIssuer(t)
		change(i)
		if _, err := i.begin(t); err == nil {
			t.Errorf("%s: it began", name)
		}
	}
}

func TestBrowser(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*issuer)
		query  func(asked url.Values) url.Values // what the browser brings back
		says   string                            // "" for a login
	}{
		{"good", nil, func(a url.Values) url.Values { return url.Values{"state": {a.Get("state")}, "code": {"c"}} }, ""},
		{"refused", nil, func(a url.Values) url.Values {
			return url.Values{"state": {a.Get("state")}, "error": {"access_denied"}, "error_description": {"no\x1b[2Jway"}}
		}, "access_denied no[2Jway"},
		{"no code", nil, func(a url.Values) url.Values { return url.Values{"state": {a.Get("state")}} }, "refused"},
		{"the issuer refuses the code", func(i *issuer) { i.status, i.token = 400, map[string]any{"error": "invalid_grant"} },
			func(a url.Values) url.Values { return url.Values{"state": {a.Get("state")}, "code": {"c"}} }, "invalid_grant"},
		{"no ID token", func(i *issuer) { delete(i.token, "id_token") },
			func(a url.Values) url.Values { return url.Values{"state": {a.Get("state")}, "code": {"c"}} }, "no ID token"},
		{"another login's token", func(i *issuer) { i.token["id_token"] = "e30.e30.c2ln" },
			func(a url.Values) url.Values { return url.Values{"state": {a.Get("state")}, "code": {"c"}} }, "nonce"},
	} {
		i := newIssuer(t)
		s, err := i.begin(t)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Browser(t.Context(), func(p Prompt) {
			u, err := url.Parse(p.URL)
			if err != nil {
				t.Error(err)
				return
			}
			asked := u.Query()
			if asked.Get("code_challenge_method") != "S256" || asked.Get("state") == "" || !strings.HasPrefix(asked.Get("redirect_uri"), "http://127.0.0.1:") {
				t.Errorf("%s: asked %v", tc.name, asked)
			}
			i.token["id_token"] = idTokenWith(t, asked.Get("nonce"))
			if tc.change != nil {
				tc.change(i)
			}
			back := asked.Get("redirect_uri")
			// Others who find the port bring nothing.
			for _, stray := range []string{"", "?state=x&code=evil", "?code=evil", "/../?state=" + asked.Get("state")} {
				visit(t, back+stray, http.StatusNotFound)
			}
			visit(t, back+"?"+tc.query(asked).Encode(), http.StatusOK)
		})
		if tc.says == "" {
			if err != nil || nonceOf(got) == "" || i.forms[0].Get("code_verifier") == "" || i.forms[0].Get("client_id") != "cli" {
				t.Errorf("%s: %q, %v, asked %v", tc.name, got, err, i.forms)
			}
		} else if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %q, %v; want an error that says %q", tc.name, got, err, tc.says)
		}
	}
}

func visit(t *testing.T, to string, want int) {
	t.Helper()
	resp, err := http.Get(to)
	if err != nil {
		t.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("%s: %d, want %d", to, resp.StatusCode, want)
	}
}

func TestBrowserEndsWithItsContext(t *testing.T) {
	s, err := newIssuer(t).begin(t)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.Browser(ctx, func(Prompt) { cancel() }); err == nil {
		t.Error("it ended well")
	}
}

func TestDeviceRefusesAnOddPage(t *testing.T) {
	i := newIssuer(t)
	i.document["page"] = "javascript:alert(1)"
	s, err := i.begin(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Device(t.Context(), func(Prompt) { t.Error("it was shown") }); err == nil {
		t.Error("it went on")
	}
}

func FuzzNonce(f *testing.F) {
	for _, s := range []string{"", "a.b.c", "e30.eyJub25jZSI6ImEifQ.x", "..", "e30.bnVsbA.x"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		_ = nonceOf(s)
		for _, r := range clean(s) {
			if r < ' ' || r >= 0x7f {
				panic("a control character is left")
			}
		}
	})
}
