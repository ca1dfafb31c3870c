package s3servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Server is a server that lives as long as a test.
type Server struct {
	*Process

	buckets *atomic.Int64 // made by NewBucket
}

// Start starts a server for the rest of the test and its subtests. When the test fails, the end
// of the server's output is shown. Tests that need no server of their own share one by being
// subtests.
func Start(t testing.TB, kind Kind) Server {
	t.Helper()
	p, err := StartProcess(context.Background(), kind, t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("stop %s: %v", kind, err)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", kind, p.Log())
		}
	})
	return Server{Process: p, buckets: new(atomic.Int64)}
}

// NewBucket makes a bucket and returns its name.
func (s Server) NewBucket(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test-%d", s.buckets.Add(1))
	if err := s.MakeBucket(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return name
}

// MakeBucket makes a bucket; one that is there already is no error.
func (p *Process) MakeBucket(ctx context.Context, name string) error {
	client, err := p.S3()
	if err != nil {
		return err
	}
	if err := client.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: p.Region}); err != nil {
		if minio.ToErrorResponse(err).Code == "BucketAlreadyOwnedByYou" {
			return nil
		}
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	return nil
}

// S3 returns a plain client with the server's own rights, to arrange and to look behind.
func (p *Process) S3() (*minio.Client, error) {
	client, err := p.Client()
	if err != nil {
		return nil, err
	}
	return minio.New(p.Endpoint[len("https://"):], &minio.Options{
		Creds:  credentials.NewStaticV4(p.AccessKey, p.SecretKey, ""),
		Secure: true, Transport: client.Transport, Region: p.Region,
	})
}

// Objects returns the folder in which the server keeps a bucket, to count or damage its files.
func (p *Process) Objects(bucket string) (string, error) {
	dir := filepath.Join(p.data, bucket)
	if _, err := os.Stat(dir); err != nil {
		return "", err
	}
	return dir, nil
}
