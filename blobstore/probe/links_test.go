package probe

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/memory"
)

// lender gives links to a service that looks at signatures as check does.
type lender struct {
	*memory.Store
	url string
}

func (l lender) Link(_ context.Context, key string, _, _ int64, _ time.Duration) (blobstore.Link, error) {
	return blobstore.Link{Origin: l.url, Path: "/" + key}, nil
}

// TestLaxLinks: a service that answers another range than was signed gets no links.
func TestLaxLinks(t *testing.T) {
	const signed = "bytes=100-149"
	for name, c := range map[string]struct {
		answers func(asked string) bool
		want    bool
	}{
		"strict":      {func(asked string) bool { return asked == signed }, true},
		"lax":         {func(string) bool { return true }, false},
		"no shorter":  {func(asked string) bool { return asked == signed || asked == "bytes=0-0" }, false},
		"no link":     {func(string) bool { return false }, false},
		"other range": {func(asked string) bool { return asked != signed }, false},
	} {
		s := lender{Store: memory.New(nil, 0)}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !c.answers(r.Header.Get("Range")) {
				http.Error(w, "SignatureDoesNotMatch", http.StatusForbidden)
				return
			}
			body, err := s.Get(r.Context(), r.URL.Path[1:], 0, -1)
			if err != nil {
				http.Error(w, err.Error(), http.StatusNotFound)
				return
			}
			defer body.Close()
			var b bytes.Buffer
			_, _ = b.ReadFrom(body) // memory does not fail
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.Bytes()))
		}))
		s.url = srv.URL
		a, err := Probe(t.Context(), s, Options{})
		srv.Close()
		if err != nil || a.Links != c.want {
			t.Errorf("%s: found %v, %v; want %v", name, a.Links, err, c.want)
		}
	}
}
