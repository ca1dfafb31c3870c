package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"loggia/api/v1"
	"loggia/internal/ranged"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
	"loggia/transfer/pull"
	"loggia/transfer/wire"
)

// The bounds of an answer with links. Its chunks are at most those of the spans that were named.
const (
	maxLinks     = 32 << 20 // bytes of JSON
	maxLinkRange = 16 << 20 // bytes of one range
)

// errLinks: the answer is none that a node gives.
var errLinks = errors.New("links that no node gives")

// links asks the node in use, once: what has no link comes another way.
func (d *Direct) links(ctx context.Context, want []pull.Want) (v1.Links, error) {
	body, err := asking(want)
	if err != nil {
		return v1.Links{}, err
	}
	resp, err := d.disk.c.open(ctx, call{method: http.MethodPost, path: d.disk.path + "/links", body: body, pin: true})
	if err != nil {
		return v1.Links{}, err
	}
	defer resp.Body.Close()
	return readLinks(resp.Body)
}

// readLinks reads and checks an answer. errNoLinks: there are none to be had.
func readLinks(r io.Reader) (l v1.Links, err error) {
	b, err := io.ReadAll(io.LimitReader(r, maxLinks+1))
	if err != nil {
		return l, err
	}
	if len(b) > maxLinks {
		return l, fmt.Errorf("%w: more than %d bytes", errLinks, maxLinks)
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("%w: no JSON of links", errLinks) // without the text, which may hold one
	}
	if l.Origin == "" && len(l.Ranges) == 0 && l.Seconds == 0 {
		return l, errNoLinks
	}
	return l, checkLinks(l)
}

// checkLinks holds an answer to its bounds, before memory or a request is spent on it.
func checkLinks(l v1.Links) error {
	if len(l.Ranges) > v1.MaxLinkRanges || l.Seconds < 0 || l.Seconds > 3600 || len(l.Ranges) > 0 && l.Origin == "" {
		return fmt.Errorf("%w: %d ranges for %d s", errLinks, len(l.Ranges), l.Seconds)
	}
	for _, r := range l.Ranges {
		if len(r.Path) > ranged.MaxPath || r.Offset < 0 || r.Length < 1 || r.Length > maxLinkRange || r.Offset+r.Length < 0 {
			return fmt.Errorf("%w: %d bytes at %d", errLinks, r.Length, r.Offset)
		}
		sum := int64(0)
		for _, f := range r.Frames {
			if f.Stored < frame.HeaderSize || f.Stored > wire.MaxRecord || len(f.Chunks) == 0 || len(f.Chunks) > wire.MaxRefs {
				return fmt.Errorf("%w: frame of %d bytes and %d chunks", errLinks, f.Stored, len(f.Chunks))
			}
			sum += int64(f.Stored)
		}
		if sum != r.Length {
			return fmt.Errorf("%w: frames of %d bytes in a range of %d", errLinks, sum, r.Length)
		}
	}
	return nil
}

// asking writes which chunks are asked for.
func asking(want []pull.Want) ([]byte, error) {
	var body bytes.Buffer
	w := wire.NewWriter(&body)
	for _, s := range want {
		if err := errors.Join(w.Spans([]manifest.SpanRef{{Span: s.Span}}), w.Chunks(s.IDs)); err != nil {
			return nil, err
		}
	}
	if err := w.End(); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}
