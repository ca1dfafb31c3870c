package imports

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"loggia/gallery"
	"loggia/internal/outgoing"
	"loggia/node/config"
	"loggia/testing/s3servers"
)

func web(t *testing.T, c config.Imports) *Web {
	t.Helper()
	c.MaxSize = 1 << 20
	w, err := NewWeb(c, func() gallery.SubscriptionID { return "s" })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func fetch(t *testing.T, w *Web, i gallery.Import) ([]byte, error) {
	t.Helper()
	f, err := w.Open(t.Context(), &i, t.TempDir())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
}

// TestAccounts: a storage account stands for a prefix of URLs, and for nothing beside it.
func TestAccounts(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(r.URL.Path))
	}))
	defer srv.Close()
	const id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/"
	w := web(t, config.Imports{Networks: []string{"127.0.0.0/8"}, Accounts: map[string]config.Account{"Golden": {URL: srv.URL + "/golden"}}})
	if got, err := fetch(t, w, gallery.Import{URI: srv.URL + "/golden/a", Account: id + "golden"}); err != nil || string(got) != "/golden/a" {
		t.Errorf("got %q, %v", got, err)
	}
	for name, i := range map[string]gallery.Import{
		"beside the prefix":       {URI: srv.URL + "/goldener/a", Account: id + "golden"},
		"an unknown account":      {URI: srv.URL + "/golden/a", Account: id + "other"},
		"without the account":     {URI: srv.URL + "/golden/a"},
		"of another subscription": {URI: srv.URL + "/golden/a", Account: "/subscriptions/t/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/golden"},
		"another origin":          {URI: "https://example.org/golden/a", Account: id + "golden"},
		"a prefix in disguise":    {URI: srv.URL + "@evil.example/golden/a", Account: id + "golden"},
	} {
		if _, err := fetch(t, w, i); !errors.Is(err, outgoing.ErrForbidden) {
			t.Errorf("%s: got %v, want %v", name, err, outgoing.ErrForbidden)
		}
	}
}

// TestBuckets: the account of a real S3 server is read with its credentials, which no URL holds.
func TestBuckets(t *testing.T) {
	srv := s3servers.Start(t, s3servers.Kinds()[0])
	bucket := srv.NewBucket(t)
	c, err := srv.S3()
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("golden "), 1000)
	if _, err := c.PutObject(t.Context(), bucket, "Images/Debian 13.raw", bytes.NewReader(want), int64(len(want)), minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	w := web(t, config.Imports{Accounts: map[string]config.Account{"golden": {URL: "https://golden.example/", S3: &config.S3{Endpoint: srv.Endpoint, Bucket: bucket, Region: srv.Region, CAFile: srv.CAFile,
		AccessKey: srv.AccessKey, SecretKey: srv.SecretKey}}}})
	if got, err := fetch(t, w, gallery.Import{URI: "https://golden.example/Images/Debian%2013.raw?sig=x", Account: "golden"}); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
	}
	_, err = fetch(t, w, gallery.Import{URI: "https://golden.example/none", Account: "golden"})
	if reason, final := reasonOf(err); reason != gallery.ReasonSourceMissing || !final {
		t.Errorf("an object that is not there: %v (%s, %v)", err, reason, final)
	}
}

// TestReasons: what an operator reads, and whether trying again may help.
func TestReasons(t *testing.T) {
	for _, test := range []struct {
		err    error
		reason gallery.Reason
		final  bool
	}{
		{outgoing.ErrForbidden, gallery.ReasonSourceForbidden, true}, {outgoing.ErrMissing, gallery.ReasonSourceMissing, true}, {outgoing.ErrChanged, gallery.ReasonUnreachable, false},
		{context.DeadlineExceeded, gallery.ReasonUnreachable, false}, {&gallery.Error{Kind: gallery.ErrUnavailable}, gallery.ReasonStoreUnavailable, false},
		{io.ErrUnexpectedEOF, gallery.ReasonUnreachable, false},
	} {
		if reason, final := reasonOf(test.err); reason != test.reason || final != test.final {
			t.Errorf("%v: got %s, %v; want %s, %v", test.err, reason, final, test.reason, test.final)
		}
	}
}
