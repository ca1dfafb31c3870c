package clusterlab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"loggia/testing/s3servers"
)

// Bucket is a region's S3 server, a process beside its daemon, and the daemon's bucket in it.
type Bucket struct {
	Endpoint, Bucket, AccessKey, SecretKey, CAFile string

	PID    int      // of the server
	helper *Process // runs it
}

// S3 is a region's S3 server, or nil where stores are directories.
func (c *Cluster) S3(region string) *Bucket { return c.s3[region] }

// ServeS3 runs an S3 server of a kind under dir until it gets a signal, and prints, as JSON, where
// its bucket is. It is the helper command of Options.S3Helper.
func ServeS3(kind, dir, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := s3servers.StartProcess(ctx, s3servers.Kind(kind), dir, addr)
	if err != nil {
		return err
	}
	const bucket = "loggia"
	err = p.MakeBucket(ctx, bucket)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(Bucket{Endpoint: p.Endpoint, Bucket: bucket, AccessKey: p.AccessKey, SecretKey: p.SecretKey, CAFile: p.CAFile, PID: p.PID()})
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case <-p.Exited():
			err = fmt.Errorf("%s ended: %s", kind, p.Log())
		}
	}
	return errors.Join(err, p.Stop())
}

// startS3 starts a server in the region's network, through a helper command that prints where it is.
func (c *Cluster) startS3(ctx context.Context, region string) (*Bucket, error) {
	dir := filepath.Join(c.dir(region), "s3")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	args := append(append([]string(nil), c.o.S3Helper[1:]...), c.o.S3, dir, fmt.Sprintf("%s:%d", c.host(region), c.port(region, 9443)))
	cmd := c.command(ctx, region, c.o.S3Helper[0], args...)
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout = in
	p, err := c.spawn(cmd, filepath.Join(dir, "helper.log"))
	in.Close()
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	b := &Bucket{helper: p}
	if err == nil {
		err = json.Unmarshal(line, b)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start S3 server of %s (see %s): %w", region, p.log, err), p.Kill())
	}
	return b, nil
}
