package s3

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"loggia/blobstore"
)

func valid() Options {
	return Options{Endpoint: "https://s3.example:9000", Bucket: "images", Credentials: Credentials{AccessKey: "a", SecretKey: "s"}}
}

func TestValidate(t *testing.T) {
	if err := valid().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Options)
		want   string // part of the message; empty: valid
	}{
		"bare host":       {func(o *Options) { o.Endpoint = "s3.example:9000" }, ""},
		"insecure":        {func(o *Options) { o.Endpoint, o.Insecure = "http://s3.example", true }, ""},
		"http":            {func(o *Options) { o.Endpoint = "http://s3.example" }, "insecure"},
		"scheme":          {func(o *Options) { o.Endpoint = "ftp://s3.example" }, "neither https nor http"},
		"path":            {func(o *Options) { o.Endpoint = "https://s3.example/bucket" }, "only scheme, host and port"},
		"user":            {func(o *Options) { o.Endpoint = "https://a:b@s3.example" }, "only scheme, host and port"},
		"no host":         {func(o *Options) { o.Endpoint = "https://" }, "no host"},
		"bucket":          {func(o *Options) { o.Bucket = "Images" }, "bucket"},
		"no bucket":       {func(o *Options) { o.Bucket = "" }, "bucket"},
		"prefix":          {func(o *Options) { o.Prefix = "a/b" }, ""},
		"prefix slash":    {func(o *Options) { o.Prefix = "a/" }, "prefix"},
		"style":           {func(o *Options) { o.PathStyle = "weird" }, "path style"},
		"checksum":        {func(o *Options) { o.Checksum = "crc64" }, "checksum"},
		"retries":         {func(o *Options) { o.MaxRetries = 10 }, "max retries"},
		"timeout":         {func(o *Options) { o.StallTimeout = -1 }, "below 0"},
		"quota":           {func(o *Options) { o.Quota = 1 }, "quota"},
		"no credentials":  {func(o *Options) { o.Credentials = Credentials{} }, "credentials"},
		"two credentials": {func(o *Options) { o.Credentials.File = "/x" }, "credentials"},
		"half":            {func(o *Options) { o.Credentials.SecretKey = "" }, "both"},
		"half env":        {func(o *Options) { o.Credentials = Credentials{AccessKeyEnv: "A"} }, "both"},
	} {
		o := valid()
		c.change(&o)
		err := o.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	several := Options{Endpoint: "http://x", Bucket: "!", PathStyle: "?"}.Validate()
	for _, want := range []string{"insecure", "bucket", "path style", "credentials"} {
		if several == nil || !strings.Contains(several.Error(), want) {
			t.Errorf("got %v, want everything at once, %s too", several, want)
		}
	}
}

func TestOpenReadsItsFiles(t *testing.T) {
	o := valid()
	o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if _, err := Open(o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want not exist", err)
	}
	if err := os.WriteFile(o.CAFile, []byte("no pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("got %v, want that there is no certificate", err)
	}
}

func TestCredentialsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	o := valid()
	o.Credentials = Credentials{File: path, Profile: "b"}
	text := "# mine\n[default]\naws_access_key_id=A\naws_secret_access_key=AS\n\n[b]\naccess_key_id = B\nsecret_access_key = B=S\nsession_token=T\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v, want a word on the mode", err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err != nil {
		t.Error(err)
	}
	v, _, err := readCredentials(path, "b")
	if err != nil || v != (value{"B", "B=S", "T"}) {
		t.Errorf("got %+v, %v", v, err)
	}
	if v, _, err := readCredentials(path, ""); err != nil || v != (value{"A", "AS", ""}) {
		t.Errorf("got %+v, %v", v, err)
	}
	if _, _, err := readCredentials(path, "c"); err == nil {
		t.Error("an absent profile was found")
	}
}

func TestCredentialsFromEnvironment(t *testing.T) {
	o := valid()
	o.Credentials = Credentials{AccessKeyEnv: "LOGGIA_TEST_A", SecretKeyEnv: "LOGGIA_TEST_S"}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "LOGGIA_TEST_A") {
		t.Errorf("got %v, want the variable's name", err)
	}
	t.Setenv("LOGGIA_TEST_A", "a")
	t.Setenv("LOGGIA_TEST_S", "s")
	if _, err := Open(o); err != nil {
		t.Error(err)
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	c := Credentials{AccessKey: "access", SecretKey: "secret"}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%+v", Options{Credentials: c})} {
		if strings.Contains(text, "secret") {
			t.Errorf("%s shows the secret", text)
		}
	}
}

func TestPlainHTTPSignsThePayload(t *testing.T) {
	data := []byte("over the wire")
	var got atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			got.Store(r.Header.Get("X-Amz-Content-Sha256"))
		}
		_, _ = io.Copy(io.Discard, r.Body)
		object(w, len(data))
	}))
	t.Cleanup(srv.Close)
	o := valid()
	o.Endpoint, o.Insecure = srv.URL, true
	if err := open(t, o).Put(t.Context(), "k", data); err != nil {
		t.Fatal(err)
	}
	if want := hex.EncodeToString(blobstore.ChecksumSHA256.Sum(data)); got.Load() != want {
		t.Errorf("payload hash %v, want %s", got.Load(), want)
	}
}

func TestParseContentRange(t *testing.T) {
	a, b, n, err := parseContentRange("bytes 5-9/10")
	if a != 5 || b != 9 || n != 10 || err != nil {
		t.Errorf("got %d %d %d %v", a, b, n, err)
	}
	for _, text := range []string{"", "bytes", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10", "bytes -5-9/10", "bytes 5-9/*", "5-9/10",
		"bytes 0-99999999999999999999/999999999999999999999"} {
		if _, _, _, err := parseContentRange(text); !errors.Is(err, blobstore.ErrDamaged) {
			t.Errorf("%q: got %v, want ErrDamaged", text, err)
		}
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte("[default]\naws_access_key_id = a\naws_secret_access_key = s\n"), "")
	f.Add([]byte("access_key_id=a\nsecret_access_key=s\n[x]\n"), "x")
	f.Add([]byte("["), "x")
	f.Fuzz(func(t *testing.T, b []byte, profile string) {
		if v, err := parseCredentials(b, profile); err == nil && (v.accessKey == "" || v.secretKey == "") {
			t.Errorf("got %+v without an error", v)
		}
	})
}

func FuzzParseContentRange(f *testing.F) {
	f.Add("bytes 0-9/10")
	f.Add("bytes */10")
	f.Fuzz(func(t *testing.T, text string) {
		if first, last, total, err := parseContentRange(text); err == nil && (first < 0 || first > last || last >= total) {
			t.Errorf("%q: got %d-%d/%d", text, first, last, total)
		}
	})
}
