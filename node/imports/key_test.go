package imports

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"loggia/gallery"
	"loggia/internal/outgoing"
	"loggia/node/config"
)

func TestKeyOf(t *testing.T) {
	for rest, want := range map[string]string{
		"a/b.vhd": "a/b.vhd", "a%20b.vhd?sig=x": "a b.vhd", "..a/b..": "..a/b..", "a...b/.c": "a...b/.c", "100%25": "100%", "a//b": "a//b",
	} {
		if got, err := keyOf(rest); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", rest, got, err, want)
		}
	}
	for _, rest := range []string{"../x", "a/../x", "a/..", ".", "./x", "%2e%2e/x", "a/%2E%2e%2fx", "a%2f..%2fx", "%252e%252e/x", `..\x`, "a/..;p/x", "a/..%3fx", "%", "a%ff"} {
		if got, err := keyOf(rest); !errors.Is(err, outgoing.ErrInvalid) {
			t.Errorf("%q: got %q, %v; want %v", rest, got, err, outgoing.ErrInvalid)
		}
	}
}

func FuzzKeyOf(f *testing.F) {
	for _, s := range []string{"a/b", "../x", "%2e%2e/x", "a%252f..", "a?../b", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		if _, err := keyOf(rest); err != nil {
			return
		}
		below, _, _ := strings.Cut(rest, "?")
		for range 3 { // a server that unescapes as often as that, and then cleans the path
			if clean := path.Clean("/golden/" + below); clean != "/golden" && !strings.HasPrefix(clean, "/golden/") {
				t.Fatalf("%q leads to %q", rest, clean)
			}
			next, err := url.PathUnescape(below)
			if err != nil {
				return
			}
			below = next
		}
	})
}

// TestWithinPrefix: no spelling of a URL leads out of the prefix that an account stands for.
func TestWithinPrefix(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the server was asked for %s", r.URL) }))
	defer srv.Close()
	w := web(t, config.Imports{Networks: []string{"127.0.0.0/8"}, Accounts: map[string]config.Account{"golden": {URL: srv.URL + "/golden"}}})
	for _, rest := range []string{"../secret", "%2e%2e/secret", "a/..%2f..%2fsecret"} {
		if _, err := fetch(t, w, gallery.Import{URI: srv.URL + "/golden/" + rest, Account: "golden"}); !errors.Is(err, outgoing.ErrInvalid) {
			t.Errorf("%s: got %v, want %v", rest, err, outgoing.ErrInvalid)
		}
	}
}
