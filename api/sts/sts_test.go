package sts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const base = "https://gallery.example.org:8443"

// desk is a service that writes down what it was asked.
type desk struct {
	asked []Grant
	err   error
}

func (d *desk) Names() (Names, error) {
	return Names{Issuer: "https://sts.loggia/c/", Audience: "https://gallery.loggia/c"}, nil
}

func (d *desk) Keys() []json.RawMessage { return []json.RawMessage{[]byte(`{"kty":"RSA","kid":"k"}`)} }

func (d *desk) Token(_ context.Context, g Grant) (Answer, error) {
	d.asked = append(d.asked, g)
	if d.err != nil && !(g.Write && errors.Is(d.err, ErrWrite)) {
		return Answer{}, d.err
	}
	return Answer{Token: "TOKEN", Issued: clock, Expires: clock.Add(time.Hour)}, nil
}

var clock = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type rig struct {
	desk
	http.Handler
	now       time.Time
	forwarded int
}

func newRig() *rig {
	r := &rig{now: clock}
	r.Handler = Handler(Options{Service: &r.desk, Base: func(q *http.Request) string { return "https://" + q.Host }, Own: func(b string) bool { return b == base },
		Now: func() time.Time { return r.now }, Log: slog.New(slog.DiscardHandler),
		Writer: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.forwarded++; next.ServeHTTP(w, q) })
		}})
	return r
}

func (r *rig) do(method, path, form string, header ...string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, base+path, strings.NewReader(form))
	if method == http.MethodPost {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, q)
	return w
}

func decode(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("answer %s: %v", w.Body, err)
	}
	return out
}

func TestOwns(t *testing.T) {
	const tenant = "00000000-0000-4000-8000-00000000000A"
	for path, want := range map[string]bool{
		"/metadata/endpoints": true, "//metadata/endpoints": true, "/Metadata/Endpoints/": true, "/metadata/endpoints/x": false, "/metadata": false,
		"/adfs/.well-known/openid-configuration": true, "/adfs/adfs/.well-known/openid-configuration": true, "/" + tenant + "/.well-known/openid-configuration": true,
		"/" + tenant + "/v2.0/.well-known/openid-configuration": true, "/common/v2.0/.well-known/openid-configuration": true, "/.well-known/openid-configuration": false,
		"/adfs/" + tenant + "/.well-known/openid-configuration": true, "/v1/.well-known/openid-configuration": false,
		"/adfs/oauth2/token": true, "/adfs/oauth2/token/": true, "/" + tenant + "/oauth2/token": true, "/" + tenant + "/oauth2/v2.0/token": true, "/adfs/" + tenant + "/oauth2/v2.0/token": true,
		"/adfs/discovery/keys": true, "/" + tenant + "/discovery/v2.0/keys": true, "/adfs/oauth2/authorize": false, "/adfs": false, "/": false, "": false,
		"/subscriptions/" + tenant + "/oauth2/token": false, "/v1/tokens": false, "/" + strings.Repeat("a/", 600): false,
	} {
		if got := Owns(path); got != want {
			t.Errorf("Owns(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	r := newRig()
	get := func(version string) any {
		w := r.do("GET", "//metadata/endpoints?api-version="+version, "")
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", version, w.Code, w.Body)
		}
		var v any
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	login := func(v any) any { return v.(map[string]any)["authentication"].(map[string]any)["loginEndpoint"] }
	for _, version := range []string{"2015-01-01", "1.0", "", "2018-01-01", "2022-09-01", "2023-12-01"} {
		if v := get(version); login(v) != base+"/adfs" {
			t.Errorf("%s: %v", version, v)
		}
	}
	for _, version := range []string{"2018-05-01", "2019-05-01", "2020-06-01"} {
		if v, ok := get(version).([]any); !ok || len(v) != 1 || login(v[0]) != base+"/adfs" {
			t.Errorf("%s: %v, want a list of one", version, v)
		}
	}
	old := get("2015-01-01").(map[string]any)
	if got := slices.Sorted(mapKeys(old)); !slices.Equal(got, []string{"authentication", "galleryEndpoint", "graphEndpoint", "portalEndpoint"}) {
		t.Errorf("2015-01-01 has %v", got)
	}
	if a := old["authentication"].(map[string]any)["audiences"].([]any); a[0] != "https://gallery.loggia/c" {
		t.Errorf("audiences %v", a)
	}
	terraform := get("2022-09-01").(map[string]any)
	a := terraform["authentication"].(map[string]any)
	if a["tenant"] != "common" || a["identityProvider"] != "AAD" || terraform["resourceManager"] != base+"/" || terraform["name"] == "" || terraform["microsoftGraphResourceId"] == "" {
		t.Errorf("Terraform would refuse %v", terraform)
	}
	if w := r.do("POST", "/metadata/endpoints", ""); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestDiscovery(t *testing.T) {
	r := newRig()
	for path, root := range map[string]struct{ issuer, token, keys string }{
		"/adfs":      {"/adfs", "/adfs/oauth2/token", "/adfs/discovery/keys"},
		"/adfs/adfs": {"/adfs/adfs", "/adfs/adfs/oauth2/token", "/adfs/adfs/discovery/keys"},
		"/00000000-0000-4000-8000-000000000001/v2.0": {"/00000000-0000-4000-8000-000000000001/v2.0", "/00000000-0000-4000-8000-000000000001/oauth2/v2.0/token",
			"/00000000-0000-4000-8000-000000000001/discovery/v2.0/keys"},
	} {
		c := decode(t, r.do("GET", path+"/.well-known/openid-configuration", ""))
		if c["issuer"] != base+root.issuer || c["token_endpoint"] != base+root.token || c["jwks_uri"] != base+root.keys || c["authorization_endpoint"] == "" {
			t.Errorf("%s: %v", path, c)
		}
		// What the document names must be served.
		if k := r.do("GET", root.keys, ""); k.Code != 200 || !strings.Contains(k.Body.String(), `"kid":"k"`) {
			t.Errorf("%s: %d %s", root.keys, k.Code, k.Body)
		}
		if !Owns(root.token) {
			t.Errorf("%s is not served", root.token)
		}
	}
}

const secretForm = "grant_type=client_credentials&client_id=app&client_secret=s%2Bs&scope=x%2F.default"

func TestToken(t *testing.T) {
	r := newRig()
	w := r.do("POST", "/adfs/oauth2/token", secretForm)
	got := decode(t, w)
	if w.Code != 200 || got["access_token"] != "TOKEN" || got["token_type"] != "Bearer" || got["expires_in"] != float64(3599) || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %v", w.Code, got, w.Header())
	}
	g := r.asked[0]
	if g.Client != "app" || g.Secret != "s+s" || g.Tenant != "" || !slices.Contains(g.Audiences, base+"/adfs/oauth2/token") {
		t.Errorf("asked %+v", g)
	}
	r.do("POST", "/00000000-0000-4000-8000-00000000000A/oauth2/v2.0/token", secretForm)
	if g := r.asked[1]; g.Tenant != "00000000-0000-4000-8000-00000000000a" {
		t.Errorf("asked %+v", g)
	}
}

// TestAudiencesAreOurs: who sends an assertion that was meant for another server gains nothing by that server's name.
func TestAudiencesAreOurs(t *testing.T) {
	r := newRig()
	q := httptest.NewRequest("POST", "https://elsewhere.example.org/adfs/oauth2/token", strings.NewReader(secretForm))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.ServeHTTP(httptest.NewRecorder(), q)
	if got := r.asked[0].Audiences; !slices.Equal(got, []string{"https://sts.loggia/c/"}) {
		t.Errorf("audiences %v, want the issuer alone", got)
	}
}

func TestForms(t *testing.T) {
	r := newRig()
	basic := func(s string) []string { return []string{"Authorization", "Basic " + s} }
	const assertion = "&client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
	const exchange = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=x.y.z&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token"
	for _, tc := range []struct {
		name, form string
		header     []string
		status     int
		says       string
	}{
		{"secret", secretForm, nil, 200, ""},
		{"basic", "grant_type=client_credentials", basic("YXBwOnMlMkJz"), 200, ""},
		{"basic with the same client_id", "grant_type=client_credentials&client_id=app", basic("YXBwOnM="), 200, ""},
		{"basic with another client_id", "grant_type=client_credentials&client_id=x", basic("YXBwOnM="), 400, "Authorization"},
		{"basic and secret", secretForm, basic("YXBwOnM="), 400, "Authorization"},
		{"basic without colon", "grant_type=client_credentials", basic("YXBw"), 400, "Authorization"},
		{"basic that is no base64", "grant_type=client_credentials", basic("%%%"), 400, "Authorization"},
		{"basic with a bad escape", "grant_type=client_credentials", basic("YXBwOiV6eg=="), 400, "Authorization"},
		{"assertion", "grant_type=client_credentials" + assertion, nil, 200, ""},
		{"assertion and client_id", "grant_type=client_credentials&client_id=app" + assertion, nil, 200, ""},
		{"assertion and secret", secretForm + assertion, nil, 400, "client_assertion"},
		{"assertion of another type", "grant_type=client_credentials&client_assertion=a&client_assertion_type=saml", nil, 400, "client_assertion_type"},
		{"exchange", exchange, nil, 200, ""},
		{"exchange of nothing", strings.Replace(exchange, "x.y.z", "", 1), nil, 400, "subject_token"},
		{"exchange of an access token", strings.Replace(exchange, "id_token", "access_token", 1), nil, 400, "subject_token_type"},
		{"exchange for a refresh token", exchange + "&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Arefresh_token", nil, 400, "requested_token_type"},
		{"no grant", "client_id=app", nil, 400, "grant_type"},
		{"another grant", "grant_type=password&username=u&password=p", nil, 400, "grant_type"},
		{"no client", "grant_type=client_credentials&client_secret=s", nil, 400, "client_id"},
		{"no secret", "grant_type=client_credentials&client_id=app", nil, 400, "client_secret"},
		{"an empty secret", "grant_type=client_credentials&client_id=app&client_secret=", nil, 400, "client_secret"},
		{"client twice", secretForm + "&client_id=other", nil, 400, "client_id"},
		{"a bad escape", secretForm + "&x=%zz", nil, 400, "form"},
		{"a semicolon", secretForm + ";x=1", nil, 400, "form"},
		{"long client", "grant_type=client_credentials&client_secret=s&client_id=" + strings.Repeat("x", maxClientID+1), nil, 400, "client_id"},
		{"long secret", "grant_type=client_credentials&client_id=app&client_secret=" + strings.Repeat("x", maxSecret+1), nil, 400, "client_secret"},
		{"long form", secretForm + "&x=" + strings.Repeat("x", maxForm), nil, 400, "body"},
		{"many parameters", secretForm + strings.Repeat("&a=b", maxParameters), nil, 400, "body"},
		{"JSON", `{"grant_type":"client_credentials"}`, []string{"Content-Type", "application/json"}, 400, "Content-Type"},
	} {
		w := r.do("POST", "/adfs/oauth2/token", tc.form, tc.header...)
		got := decode(t, w)
		if w.Code != tc.status {
			t.Errorf("%s: %d %v, want %d", tc.name, w.Code, got, tc.status)
			continue
		}
		if d, _ := got["error_description"].(string); tc.status != 200 && (!strings.HasPrefix(d, "AADSTS") || !strings.Contains(d, tc.says)) {
			t.Errorf("%s: %q does not say %q", tc.name, d, tc.says)
		}
	}
	if w := r.do("GET", "/adfs/oauth2/token", ""); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", w.Code, w.Header())
	}
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		code   string
		number int
	}{
		{ErrClient, 401, "invalid_client", 7000215}, {ErrSubjectToken, 400, "invalid_grant", 50027}, {ErrNoUser, 400, "invalid_grant", 50034},
		{ErrUnavailable, 503, "temporarily_unavailable", 90033}, {errors.New("secret detail"), 503, "temporarily_unavailable", 90033},
	} {
		r := newRig()
		r.err = tc.err
		w := r.do("POST", "/adfs/oauth2/token", secretForm, "client-request-id", "00000000-0000-4000-8000-000000000009")
		got := decode(t, w)
		if w.Code != tc.status || got["error"] != tc.code || fmt.Sprint(got["error_codes"]) != fmt.Sprintf("[%v]", float64(tc.number)) || strings.Contains(w.Body.String(), "secret detail") {
			t.Errorf("%v: %d %v", tc.err, w.Code, got)
		}
		if got["correlation_id"] != "00000000-0000-4000-8000-000000000009" {
			t.Errorf("correlation %v", got["correlation_id"])
		}
		if tc.status == 503 && w.Header().Get("Retry-After") != "1" {
			t.Errorf("%v: Retry-After %q", tc.err, w.Header().Get("Retry-After"))
		}
	}
}

func TestWritesGoToTheLeader(t *testing.T) {
	r := newRig()
	r.err = ErrWrite
	if w := r.do("POST", "/adfs/oauth2/token", secretForm); w.Code != 200 || r.forwarded != 1 || len(r.asked) != 2 || !r.asked[1].Write {
		t.Errorf("%d, forwarded %d times, asked %+v", w.Code, r.forwarded, r.asked)
	}
}

func TestFailedLoginsAreLimited(t *testing.T) {
	r := newRig()
	r.err = ErrClient
	for i := range perClient {
		if w := r.do("POST", "/adfs/oauth2/token", secretForm); w.Code != 401 {
			t.Fatalf("failure %d: %d", i, w.Code)
		}
	}
	r.err = nil
	w := r.do("POST", "/adfs/oauth2/token", secretForm)
	if w.Code != 429 || w.Header().Get("Retry-After") != "300" || len(r.asked) != perClient {
		t.Errorf("after %d failures: %d %v", perClient, w.Code, w.Header())
	}
	if w := r.do("POST", "/adfs/oauth2/token", strings.Replace(secretForm, "=app", "=other", 1)); w.Code != 200 {
		t.Errorf("another client: %d", w.Code)
	}
	q := httptest.NewRequest("POST", base+"/adfs/oauth2/token", strings.NewReader(secretForm))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.RemoteAddr = "[2001:db8::1]:1"
	elsewhere := httptest.NewRecorder()
	if r.ServeHTTP(elsewhere, q); elsewhere.Code != 200 {
		t.Errorf("the same client from elsewhere: %d", elsewhere.Code)
	}
	r.now = clock.Add(window)
	if w := r.do("POST", "/adfs/oauth2/token", secretForm); w.Code != 200 {
		t.Errorf("after the window: %d", w.Code)
	}
}

func TestManyClientsFromOneAddressAreLimited(t *testing.T) {
	r := newRig()
	r.err = ErrClient
	last := 0
	for i := range perAddress + 1 {
		last = r.do("POST", "/adfs/oauth2/token", fmt.Sprintf("grant_type=client_credentials&client_id=c%d&client_secret=s", i)).Code
	}
	if last != 429 {
		t.Errorf("the %dth client: %d, want 429", perAddress+1, last)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	now := clock
	h := newThrottle(func() time.Time { return now })
	for i := range 2 * maxFailures {
		h.failed(fmt.Sprint(i), fmt.Sprint(i))
	}
	if len(h.rows) > maxFailures {
		t.Errorf("%d rows, want at most %d", len(h.rows), maxFailures)
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "[fe80::1%eth0]:80": "fe80::/64", "odd": "odd",
	} {
		if got := address(&http.Request{RemoteAddr: in}); got != want {
			t.Errorf("address(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", secretForm, "a=b&a=c", "%", ";", "grant_type=&client_id", strings.Repeat("&", 100)} {
		f.Add(seed, "Basic YXBwOnM=")
	}
	f.Fuzz(func(t *testing.T, form, authorization string) {
		v, err := parseForm(form)
		var g Grant
		if err == nil {
			g, err = grant(v, authorization)
		}
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("error %v is not typed", err)
		}
		if err == nil && g.Type == GrantClient && (g.Secret == "") == (g.Assertion == "") {
			t.Fatalf("%q gives %+v", form, g)
		}
		if len(g.Client) > maxClientID && err == nil {
			t.Fatalf("client of %d bytes", len(g.Client))
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/adfs/oauth2/token", "//metadata/endpoints", "/a/b/c", "/adfs/%2e%2e/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if p, prefix := locate(path); p != nowhere && p != metadataPlace {
			if len(prefix) == 0 || len(prefix) > 2 {
				t.Fatalf("%q has the prefix %q", path, prefix)
			}
			if _, err := url.Parse("https://x/" + strings.Join(prefix, "/")); err != nil {
				t.Fatal(err)
			}
		}
	})
}
