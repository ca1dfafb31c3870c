package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"loggia/api/v1"
)

// maxEvent bounds one event, in bytes.
const maxEvent = 4 << 20

// Events calls fn for each event until ctx ends, fn fails, or the stream breaks, which is an error
// of the kind gallery.ErrUnavailable. version "" means all versions.
func (c *Client) Events(ctx context.Context, version string, fn func(v1.Event) error) error {
	q := url.Values{}
	if version != "" {
		q.Set("version", version)
	}
	resp, err := c.open(ctx, call{method: get, path: "/v1/events", query: q, header: map[string]string{"Accept": "text/event-stream"}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s := bufio.NewScanner(resp.Body)
	s.Buffer(make([]byte, 64<<10), maxEvent)
	for s.Scan() {
		data, ok := bytes.CutPrefix(s.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var e v1.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("event: %w", err)
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	if err := errors.Join(s.Err(), ctx.Err()); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
