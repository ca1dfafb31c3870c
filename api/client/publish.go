package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loggia/api/v1"
	"loggia/gallery"
	"loggia/transfer/publish"
	"loggia/transfer/wire"
)

// patience is how long a publish goes on trying the nodes of its region.
const patience = 10 * time.Minute

// PublishDisk uploads a disk under the request's id and returns the upload with its disk. Called again with the
// same id, by this process or another, it sends only what is not durable. It goes on after a node
// has failed: with the next node, for ten minutes.
func (c *Client) PublishDisk(ctx context.Context, r v1.UploadRequest, src publish.Source, o publish.Options, tell func(string)) (v1.Upload, publish.Result, error) {
	u, err := c.OpenUpload(ctx, r)
	if err != nil {
		return u, publish.Result{}, err
	}
	var res publish.Result
	started := time.Now()
	for attempt := 0; ; attempt++ {
		if u.State == "Completed" {
			return u, res, nil
		}
		u, res, err = c.publishOnce(ctx, r, src, o)
		if err == nil || ctx.Err() != nil || !again(err) {
			return u, res, err
		}
		if time.Since(started) > patience {
			return u, res, fmt.Errorf("no node of the region has taken the upload for %v; run the same command again to go on: %w", patience, err)
		}
		tell(fmt.Sprintf("upload interrupted, going on: %v", err))
		if attempt > 0 {
			c.Next()
		}
		if err := sleep(ctx, min(time.Duration(attempt+1)*500*time.Millisecond, 5*time.Second)); err != nil {
			return u, res, err
		}
	}
}

// publishOnce takes the upload to the node in use, sends what is missing and commits.
func (c *Client) publishOnce(ctx context.Context, r v1.UploadRequest, src publish.Source, o publish.Options) (v1.Upload, publish.Result, error) {
	u, err := c.ResumeUpload(ctx, r)
	if err != nil || u.State == "Completed" {
		return u, publish.Result{}, err
	}
	res, err := publish.Run(ctx, c.Remote(r.ID), src, o)
	if err != nil {
		return u, res, err
	}
	commit := v1.UploadCommit{Root: res.Root.String()}
	if !res.SHA256.IsZero() {
		commit.SHA256 = res.SHA256.String()
	}
	u, err = c.CommitUpload(ctx, r.ID, commit)
	return u, res, err
}

// again says whether another node, or the same one later, may go on with the upload.
func again(err error) bool {
	return errors.Is(err, gallery.ErrUnavailable) || errors.Is(err, gallery.ErrElsewhere) || errors.Is(err, gallery.ErrNoLeader) ||
		errors.Is(err, gallery.ErrUnknownOutcome) || errors.Is(err, wire.ErrTruncated) || errors.Is(err, gallery.ErrStaleClaim) ||
		errors.Is(err, gallery.ErrStaleRepository)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
