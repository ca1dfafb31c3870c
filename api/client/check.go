package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"loggia/api/v1"
	"loggia/gallery"
)

// Check has a region's stores checked and calls fn for each line of the answer. Where the answer breaks off, the check has ended, too.
func (c *Client) Check(ctx context.Context, region string, r v1.CheckRequest, fn func(v1.CheckEvent) error) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	resp, err := c.open(ctx, call{method: post, path: escape("v1", "regions", region, "verify"), body: b})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s := bufio.NewScanner(resp.Body)
	s.Buffer(make([]byte, 64<<10), maxEvent)
	for s.Scan() {
		var e v1.CheckEvent
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			return fmt.Errorf("line of the check: %w", err)
		}
		if e.Type == "failed" {
			return &gallery.Error{Kind: gallery.ErrUnavailable, Op: "verify", Resource: region, Message: e.Message}
		}
		if err := fn(e); err != nil {
			return err
		}
		if e.Type == "done" {
			return nil
		}
	}
	return &gallery.Error{Kind: gallery.ErrUnavailable, Op: "verify", Resource: region, Err: errors.Join(s.Err(), ctx.Err(), io.ErrUnexpectedEOF)}
}
