package clusterlab

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Usage is what a region's store holds.
type Usage struct {
	Bytes   int64 `json:"bytes"`
	Objects int64 `json:"objects"`
}

// Usage counts the objects of a region's store, behind the daemon's back.
func (c *Cluster) Usage(ctx context.Context, region string) (Usage, error) {
	if s := c.s3[region]; s != nil {
		return c.listed(ctx, region, s)
	}
	var u Usage
	err := filepath.WalkDir(filepath.Join(c.dir(region), "store"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			u.Bytes, u.Objects = u.Bytes+info.Size(), u.Objects+1
		}
		return err
	})
	return u, err
}

// listed asks the S3 server.
func (c *Cluster) listed(ctx context.Context, region string, s *Bucket) (Usage, error) {
	var u Usage
	trusted, err := certificates(s.CAFile)
	if err != nil {
		return u, err
	}
	transport := c.transport(region, trusted)
	defer transport.CloseIdleConnections()
	client, err := minio.New(strings.TrimPrefix(s.Endpoint, "https://"), &minio.Options{
		Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Secure: true, Region: "us-east-1", Transport: transport})
	if err != nil {
		return u, err
	}
	for o := range client.ListObjects(ctx, s.Bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			return u, fmt.Errorf("list %s: %w", s.Bucket, o.Err)
		}
		u.Bytes, u.Objects = u.Bytes+o.Size, u.Objects+1
	}
	return u, nil
}

// Requests is how many requests a region's node has made to its store since it started, by operation.
func (c *Cluster) Requests(ctx context.Context, region string) (map[string]int64, error) {
	raw, err := c.get(ctx, region, "/metrics")
	if err != nil {
		return nil, err
	}
	all := map[string]int64{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), "loggia_store_requests_total{")
		if !ok {
			continue
		}
		labels, value, _ := strings.Cut(rest, "} ")
		_, op, _ := strings.Cut(labels, `op="`)
		op, _, _ = strings.Cut(op, `"`)
		var n float64
		if _, err := fmt.Sscan(value, &n); err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", lines.Text(), err)
		}
		all[op] += int64(n)
	}
	return all, lines.Err()
}
