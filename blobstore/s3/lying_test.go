package s3

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loggia/blobstore"
)

func otherCA(t *testing.T) []byte {
	t.Helper()
	ca, _ := selfSigned(t, time.Now().Add(time.Hour))
	return ca
}

// selfSigned makes a certificate for loopback that is its own CA.
func selfSigned(t *testing.T, until time.Time) ([]byte, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "somebody else"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// liar returns a store on a server that answers as handler says, over TLS.
func liar(t *testing.T, handler http.HandlerFunc) *Store {
	t.Helper()
	srv := httptest.NewTLSServer(handler)
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Endpoint: srv.URL, Bucket: "bucket", CAFile: ca, Credentials: Credentials{AccessKey: "a", SecretKey: "s"},
		StallTimeout: 200 * time.Millisecond, AnswerTimeout: 500 * time.Millisecond})
	return s
}

func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>as the test wants</Message></Error>`, code)
}

func TestAnswersHaveKinds(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   error
	}{
		{404, "NoSuchBucket", ErrNoBucket},
		{403, "AccessDenied", blobstore.ErrForbidden}, {403, "InvalidAccessKeyId", blobstore.ErrForbidden},
		{403, "SignatureDoesNotMatch", blobstore.ErrForbidden}, {400, "ExpiredToken", blobstore.ErrForbidden},
		{403, "RequestTimeTooSkewed", blobstore.ErrForbidden}, {403, "SomethingNew", blobstore.ErrForbidden},
		{503, "SlowDown", blobstore.ErrThrottled}, {503, "SomethingNew", blobstore.ErrThrottled}, {429, "TooManyRequests", blobstore.ErrThrottled},
		{429, "SomethingNew", blobstore.ErrThrottled}, {503, "RequestLimitExceeded", blobstore.ErrThrottled},
		{507, "XMinioStorageFull", blobstore.ErrFull}, {403, "QuotaExceeded", blobstore.ErrFull}, {507, "SomethingNew", blobstore.ErrFull},
		{400, "XMinioAdminBucketQuotaExceeded", blobstore.ErrFull}, {507, "InsufficientStorage", blobstore.ErrFull},
		{500, "InternalError", blobstore.ErrUnavailable}, {502, "SomethingNew", blobstore.ErrUnavailable}, {504, "SomethingNew", blobstore.ErrUnavailable},
		{400, "BadDigest", blobstore.ErrDamaged}, {413, "EntityTooLarge", blobstore.ErrTooLarge},
		{301, "PermanentRedirect", blobstore.ErrUnavailable}, {501, "NotImplemented", blobstore.ErrUnavailable},
	} {
		s := liar(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			answer(w, c.status, c.code)
		})
		err := s.Put(t.Context(), "k", []byte("x"))
		if !errors.Is(err, c.want) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d %s: got %v, want %v", c.status, c.code, err, c.want)
		}
		if blobstore.KindOf(err) == blobstore.KindOther {
			t.Errorf("%d %s: %v has no kind", c.status, c.code, err)
		}
	}
	s := liar(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 404, "NoSuchKey") })
	if _, err := readAll(s, 0, -1); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("404 NoSuchKey: got %v, want not found", err)
	}
}

// TestWritesWhileFoldersGo plays MinIO where a put or a copy loses the race with the removal of its prefix.
func TestWritesWhileFoldersGo(t *testing.T) {
	data := []byte("all of it")
	for _, c := range []struct {
		status int
		code   string
		times  int32
		want   error // of a put
		writes int32
	}{
		{403, "AccessDenied", 1, nil, 2}, {403, "AccessDenied", 2, nil, 3}, {403, "AccessDenied", 9, blobstore.ErrForbidden, 3},
		{404, "NoSuchKey", 2, nil, 3}, {404, "NoSuchKey", 9, blobstore.ErrUnavailable, 3},
		{403, "SignatureDoesNotMatch", 9, blobstore.ErrForbidden, 1},
	} {
		var writes atomic.Int32
		s := liar(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				object(w, len(data))
				return
			}
			copying := r.Header.Get("X-Amz-Copy-Source") != ""
			if b, err := io.ReadAll(r.Body); err != nil || !copying && string(b) != string(data) {
				t.Errorf("a write brings %q, %v", b, err)
			}
			if writes.Add(1) <= c.times {
				answer(w, c.status, c.code)
				return
			}
			w.Header().Set("ETag", `"x"`)
			if copying {
				_, _ = io.WriteString(w, `<CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>`)
			}
		})
		if err := s.Put(t.Context(), "k", data); !errors.Is(err, c.want) || writes.Load() != c.writes {
			t.Errorf("%d of %s: put ends with %v after %d writes; want %v after %d", c.times, c.code, err, writes.Load(), c.want, c.writes)
		}
		writes.Store(0)
		if err := s.Copy(t.Context(), "k", "l"); (err == nil) != (c.want == nil) || writes.Load() != c.writes {
			t.Errorf("%d of %s: copy ends with %v after %d writes; want %d", c.times, c.code, err, writes.Load(), c.writes)
		}
	}
}

func object(w http.ResponseWriter, length int) {
	w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
	w.Header().Set("ETag", `"x"`)
	w.Header().Set("Content-Length", fmt.Sprint(length))
}

func readAll(s *Store, off, n int64) ([]byte, error) {
	r, err := s.Get(context.Background(), "k", off, n)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func TestShortBodiesAreDamaged(t *testing.T) {
	cut := liar(t, func(w http.ResponseWriter, r *http.Request) {
		object(w, 1000)
		_, _ = w.Write(make([]byte, 500)) // the server then cuts the connection
	})
	if b, err := readAll(cut, 0, -1); !errors.Is(err, blobstore.ErrDamaged) {
		t.Errorf("cut: got %d bytes, %v; want ErrDamaged", len(b), err)
	}
	for name, header := range map[string]string{
		"shorter": "bytes 100-149/1000", "shifted": "bytes 0-99/1000", "longer": "bytes 100-299/1000", "nonsense": "bytes */*",
	} {
		s := liar(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", header)
			object(w, 100)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(make([]byte, 100))
		})
		if b, err := readAll(s, 100, 100); !errors.Is(err, blobstore.ErrDamaged) {
			t.Errorf("%s: got %d bytes, %v; want ErrDamaged", name, len(b), err)
		}
	}
	whole := liar(t, func(w http.ResponseWriter, r *http.Request) {
		object(w, 1000)
		_, _ = w.Write(make([]byte, 1000))
	})
	if b, err := readAll(whole, 100, 100); !errors.Is(err, blobstore.ErrDamaged) {
		t.Errorf("range ignored: got %d bytes, %v; want ErrDamaged", len(b), err)
	}
}

func TestErrorDocumentsWithStatus200(t *testing.T) {
	s := liar(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			object(w, 5)
			return
		}
		answer(w, http.StatusOK, "InternalError")
	})
	err := s.List(t.Context(), "", "", func(blobstore.Info) error { return nil })
	if !errors.Is(err, blobstore.ErrUnavailable) {
		t.Errorf("list: got %v, want ErrUnavailable: an error is not an empty store", err)
	}
	if err := s.Copy(t.Context(), "a", "b"); !errors.Is(err, blobstore.ErrUnavailable) {
		t.Errorf("copy: got %v, want ErrUnavailable", err)
	}
	if err := s.Put(t.Context(), "k", []byte("12345")); err != nil {
		t.Errorf("put: %v", err)
	}
}

func TestListOutOfOrderOrCutIsAnError(t *testing.T) {
	list := func(keys ...string) string {
		var b strings.Builder
		b.WriteString(`<ListBucketResult><IsTruncated>false</IsTruncated>`)
		for _, k := range keys {
			fmt.Fprintf(&b, `<Contents><Key>%s</Key><LastModified>2006-01-02T15:04:05.000Z</LastModified><Size>1</Size></Contents>`, k)
		}
		return b.String() + `</ListBucketResult>`
	}
	for _, c := range []struct {
		name, doc string
		want      error
	}{
		{"order", list("b", "a"), blobstore.ErrDamaged}, {"twice", list("a", "a"), blobstore.ErrDamaged},
		{"cut", list("a", "b")[:120], blobstore.ErrUnavailable}, {"empty", "", blobstore.ErrUnavailable},
		{"html", "<html>proxy</html>", blobstore.ErrUnavailable}, {"good", list("a", "b"), nil},
	} {
		s := liar(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, c.doc) })
		err := s.List(t.Context(), "", "", func(blobstore.Info) error { return nil })
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestSizeIsComparedUntilAChecksumIsKnown(t *testing.T) {
	s := liar(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodHead {
			object(w, 3)
		}
	})
	if err := s.Put(t.Context(), "k", []byte("12345")); !errors.Is(err, blobstore.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
}

func TestStalledAndSilentServersAreUnavailable(t *testing.T) {
	release := make(chan struct{})
	s := liar(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			object(w, 1000)
			_, _ = w.Write(make([]byte, 10))
			_ = http.NewResponseController(w).Flush()
		case http.MethodPut:
			_, _ = io.ReadFull(r.Body, make([]byte, 10)) // and no more
		}
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the server is closed
	for op, err := range map[string]error{
		"stat": func() error { _, err := s.Stat(t.Context(), "k"); return err }(),
		"put":  s.Put(t.Context(), "k", make([]byte, 32<<20)),
		"get":  func() error { _, err := readAll(s, 0, -1); return err }(),
	} {
		if !errors.Is(err, blobstore.ErrUnavailable) || blobstore.Permanent(err) {
			t.Errorf("%s: got %v, want ErrUnavailable that may pass", op, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Stat(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own deadline: got %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	o := Options{Endpoint: srv.URL, Bucket: "bucket", Credentials: Credentials{AccessKey: "a", SecretKey: "s"}}
	srv.Close()
	for op, err := range calls(t.Context(), open(t, o)) {
		if !errors.Is(err, blobstore.ErrUnavailable) || blobstore.Permanent(err) {
			t.Errorf("%s: got %v, want ErrUnavailable", op, err)
		}
	}
}

func TestExpiredCertificate(t *testing.T) {
	ca, cert := selfSigned(t, time.Now().Add(-time.Hour))
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Endpoint: srv.URL, Bucket: "bucket", CAFile: file, Credentials: Credentials{AccessKey: "a", SecretKey: "s"}}
	err := open(t, o).Put(t.Context(), "k", nil)
	if !errors.Is(err, ErrCertificate) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v, want ErrCertificate and that it has expired", err)
	}
}

func TestCertificateForAnotherName(t *testing.T) {
	// httptest's certificate is made for example.com and loopback; localhost is not in it.
	s := liar(t, func(http.ResponseWriter, *http.Request) {})
	o := s.o
	o.Endpoint = strings.Replace(o.Endpoint, "127.0.0.1", "localhost", 1)
	err := open(t, o).Put(t.Context(), "k", nil)
	if !errors.Is(err, ErrCertificate) || !errors.Is(err, blobstore.ErrUnavailable) {
		t.Errorf("got %v, want ErrCertificate", err)
	}
}

func TestPutLetsGoOfTheBuffer(t *testing.T) {
	started, release := make(chan struct{}, 1), make(chan struct{})
	s := liar(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 10))
		started <- struct{}{}
		<-release
	})
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	data := make([]byte, 32<<20)
	if err := s.Put(ctx, "k", data); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want canceled", err)
	}
	for i := range data { // the race detector sees anybody who still reads
		data[i] = 1
	}
}

// TestPutLetsGoOfTheBufferAfterAnEarlyAnswer plays a service that answers and takes no more, while the body is on its way.
func TestPutLetsGoOfTheBufferAfterAnEarlyAnswer(t *testing.T) {
	release := make(chan struct{})
	s := liar(t, func(w http.ResponseWriter, r *http.Request) {
		c, out, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = out.WriteString("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		_ = out.Flush()
		<-release
	})
	t.Cleanup(func() { close(release) })
	data := make([]byte, 32<<20)
	if err := s.Put(t.Context(), "k", data); !errors.Is(err, blobstore.ErrForbidden) {
		t.Fatalf("got %v, want forbidden", err)
	}
	for i := range data { // the race detector sees anybody who still reads
		data[i] = 1
	}
}

// A service that closes a connection after every answer costs one full handshake, not one for each request.
func TestSessionsAreResumed(t *testing.T) {
	var full, resumed atomic.Int64
	s := liar(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		} else {
			full.Add(1)
		}
		w.Header().Set("Connection", "close")
		object(w, 0)
	})
	for range 5 {
		if _, err := s.Stat(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if full.Load() != 1 || resumed.Load() != 4 {
		t.Errorf("%d full handshakes and %d resumed sessions, want 1 and 4", full.Load(), resumed.Load())
	}
}
