package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"loggia/blobstore"
	"loggia/blobstore/storetest"
	"loggia/testing/s3servers"
)

func optionsFor(srv s3servers.Server, bucket string) Options {
	return Options{
		Endpoint: srv.Endpoint, Bucket: bucket, Region: srv.Region, CAFile: srv.CAFile,
		Credentials: Credentials{AccessKey: srv.AccessKey, SecretKey: srv.SecretKey},
	}
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestRealServers runs everything that needs a real server, on one of each kind.
func TestRealServers(t *testing.T) {
	for _, kind := range s3servers.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			srv := s3servers.Start(t, kind)
			t.Run("Contract", func(t *testing.T) {
				storetest.Run(t, func(t *testing.T) blobstore.Store { return open(t, optionsFor(srv, srv.NewBucket(t))) })
			})
			t.Run("ContractWithPrefixAndChecksum", func(t *testing.T) {
				storetest.Run(t, func(t *testing.T) blobstore.Store {
					o := optionsFor(srv, srv.NewBucket(t))
					o.Prefix, o.Checksum = "some/where", blobstore.ChecksumSHA256
					return open(t, o)
				})
			})
			for name, test := range map[string]func(*testing.T, s3servers.Server){
				"Refused": testRefused, "WrongCA": testWrongCA, "NoBucket": testNoBucket, "Neighbours": testNeighbours,
				"Checksums": testChecksums, "NoMultipart": testNoMultipart, "Rotation": testRotation, "Objects": testObjects,
			} {
				t.Run(name, func(t *testing.T) { test(t, srv) })
			}
		})
	}
}

func calls(ctx context.Context, s *Store) map[string]error {
	_, getErr := s.Get(ctx, "k", 0, -1)
	_, statErr := s.Stat(ctx, "k")
	_, capErr := s.Capacity(ctx)
	return map[string]error{
		"put": s.Put(ctx, "k", []byte("x")), "get": getErr, "stat": statErr, "delete": s.Delete(ctx, "k"),
		"list": s.List(ctx, "", "", func(blobstore.Info) error { return nil }), "capacity": capErr,
		"copy": s.Copy(ctx, "k", "l"),
	}
}

func testRefused(t *testing.T, srv s3servers.Server) {
	bucket := srv.NewBucket(t)
	for name, c := range map[string]Credentials{
		"wrong secret": {AccessKey: srv.AccessKey, SecretKey: "not-the-secret"},
		"unknown key":  {AccessKey: "nobody", SecretKey: srv.SecretKey},
	} {
		o := optionsFor(srv, bucket)
		o.Credentials = c
		for op, err := range calls(t.Context(), open(t, o)) {
			if !errors.Is(err, blobstore.ErrForbidden) {
				t.Errorf("%s: %s: got %v, want ErrForbidden", name, op, err)
			}
			if err != nil && strings.Contains(err.Error(), c.SecretKey) {
				t.Errorf("%s: %s: the error shows the secret: %v", name, op, err)
			}
		}
	}
}

func testWrongCA(t *testing.T, srv s3servers.Server) {
	other := filepath.Join(t.TempDir(), "other.pem")
	if err := os.WriteFile(other, otherCA(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ca := range []string{"", other} {
		o := optionsFor(srv, "test-1")
		o.CAFile = ca
		for op, err := range calls(t.Context(), open(t, o)) {
			if !errors.Is(err, ErrCertificate) || !errors.Is(err, blobstore.ErrUnavailable) || !strings.Contains(err.Error(), "CA file") {
				t.Errorf("CA %q: %s: got %v, want ErrCertificate", ca, op, err)
			}
		}
	}
}

func testNoBucket(t *testing.T, srv s3servers.Server) {
	for op, err := range calls(t.Context(), open(t, optionsFor(srv, "no-such-bucket"))) {
		if !errors.Is(err, ErrNoBucket) || !errors.Is(err, blobstore.ErrUnavailable) || errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNoBucket", op, err)
		}
	}
}

// testNeighbours: what lies beside our prefix in the bucket is not ours.
func testNeighbours(t *testing.T, srv s3servers.Server) {
	o := optionsFor(srv, srv.NewBucket(t))
	all := open(t, o)
	o.Prefix = "mine"
	mine := open(t, o)
	for _, key := range []string{"mine-too/x", "mine0", "a", "z"} {
		if err := all.Put(t.Context(), key, []byte("theirs")); err != nil {
			t.Fatal(err)
		}
	}
	if err := mine.Put(t.Context(), "k", []byte("x")); err != nil {
		t.Fatal(err)
	}
	client, err := srv.S3()
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutObject(t.Context(), o.Bucket, "mine/Foreign Name", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	err = mine.List(t.Context(), "", "", func(i blobstore.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil || len(keys) != 1 || keys[0] != "k" {
		t.Errorf("list shows %q, %v; want k", keys, err)
	}
}

// testChecksums: right sums are taken by whoever enforces them, wrong ones leave nothing.
func testChecksums(t *testing.T, srv s3servers.Server) {
	s := open(t, optionsFor(srv, srv.NewBucket(t)))
	data := []byte("some bytes")
	for _, kind := range blobstore.Checksums() {
		key := "sum-" + string(kind)
		if err := s.PutChecksum(t.Context(), key, data, kind, kind.Sum(data)); err != nil {
			t.Errorf("%s, right: %v", kind, err)
		}
		err := s.PutChecksum(t.Context(), key+"-wrong", data, kind, kind.Sum([]byte("others")))
		t.Logf("%s, wrong: %v", kind, err)
		if !errors.Is(err, blobstore.ErrDamaged) {
			t.Errorf("%s, wrong: got %v, want ErrDamaged", kind, err)
		}
		if _, err := s.Stat(t.Context(), key+"-wrong"); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("%s, wrong: stat says %v, want ErrNotFound", kind, err)
		}
		enforced := optionsFor(srv, s.o.Bucket)
		enforced.Checksum = kind
		for _, n := range []int{0, 1 << 20} {
			if err := open(t, enforced).Put(t.Context(), key, bytes.Repeat([]byte{1}, n)); err != nil {
				t.Errorf("put of %d bytes with %s: %v", n, kind, err)
			}
		}
	}
}

func testNoMultipart(t *testing.T, srv s3servers.Server) {
	s := open(t, optionsFor(srv, srv.NewBucket(t)))
	ctx, cancel := context.WithCancel(t.Context())
	data := bytes.Repeat([]byte("m"), blobstore.MaxObject)
	if err := s.Put(ctx, "large", data); err != nil {
		t.Fatal(err)
	}
	cancel()
	client, err := srv.S3()
	if err != nil {
		t.Fatal(err)
	}
	o, err := client.StatObject(t.Context(), s.o.Bucket, "large", minio.StatObjectOptions{})
	if err != nil || strings.Contains(o.ETag, "-") {
		t.Errorf("etag %q, %v: sent in parts", o.ETag, err)
	}
	for u := range client.ListIncompleteUploads(t.Context(), s.o.Bucket, "", true) {
		t.Errorf("incomplete upload %+v", u)
	}
}

// testRotation changes the keys under a running store.
func testRotation(t *testing.T, srv s3servers.Server) {
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(secret string) {
		t.Helper()
		text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", srv.AccessKey, secret)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("the-old-secret")
	o := optionsFor(srv, srv.NewBucket(t))
	o.Credentials = Credentials{File: file}
	s := open(t, o)
	if err := s.Put(t.Context(), "k", nil); !errors.Is(err, blobstore.ErrForbidden) {
		t.Fatalf("with the old secret: %v, want ErrForbidden", err)
	}
	write(srv.SecretKey)
	if err := s.Put(t.Context(), "k", nil); err != nil {
		t.Fatalf("with the new secret: %v", err)
	}
	if err := os.WriteFile(file, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), "k", 0, -1)
	if err != nil {
		t.Fatalf("with a broken file the last good keys should go on: %v", err)
	}
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
}

// testObjects reads objects of others at random, under keys that are none of ours.
func testObjects(t *testing.T, srv s3servers.Server) {
	bucket := srv.NewBucket(t)
	s := open(t, optionsFor(srv, bucket))
	c, err := srv.S3()
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("0123456789abcdef"), 70_000)
	const key = "Golden Images/Debian 13+x.qcow2"
	put := func(data []byte) {
		t.Helper()
		if _, err := c.PutObject(t.Context(), bucket, key, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put(want)
	o, err := s.OpenObject(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, len(want))
	}
	p := make([]byte, 100)
	if n, err := o.ReadAt(p, o.Size()-40); n != 40 || !errors.Is(err, io.EOF) || !bytes.Equal(p[:40], want[len(want)-40:]) {
		t.Errorf("over the end: %d, %v", n, err)
	}
	if n, err := o.ReadAt(p, o.Size()); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	put(bytes.ToUpper(want))
	if _, err := o.ReadAt(p, 0); !errors.Is(err, blobstore.ErrDamaged) {
		t.Errorf("an object that changed: got %v, want %v", err, blobstore.ErrDamaged)
	}
	if _, err := s.OpenObject(t.Context(), "none"); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("an object that is not there: got %v, want %v", err, blobstore.ErrNotFound)
	}
}
