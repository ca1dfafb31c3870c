package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"loggia/api/v1"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/transfer/replicate"
	"loggia/transfer/wire"
)

// Dial connects to a node: the connection's other side has proved that it is that node.
type Dial func(ctx context.Context, node gallery.NodeID) (net.Conn, error)

// Client calls other nodes. It keeps connections warm and is safe for use by many goroutines.
type Client struct {
	http *http.Client
	// Steering paces answers; nil: nothing does. It is set before the first request for frames.
	Steering Steering
	past     *past
}

// Log is told of stores that cannot be read from here. Call it before the first request.
func (c *Client) Log(l *slog.Logger) { c.past.log = l }

// Linked is how many bytes of frames came by links, past their nodes.
func (c *Client) Linked() int64 { return c.past.bytes.Load() }

// NewClient returns a client that connects with dial.
func NewClient(dial Dial) *Client {
	connect := func(ctx context.Context, _, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return dial(ctx, gallery.NodeID(host))
	}
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext:         connect, // the scheme below is http: dial has done TLS
		MaxIdleConnsPerHost: 32,      // two copies with all their flights, and what else there is
		IdleConnTimeout:     5 * time.Minute,
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      32 << 10, // frames are larger, and pass it by
		DisableCompression:  true,
	}}, past: newPast()}
}

// Close ends idle connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.past.stores.Close()
}

func (c *Client) request(ctx context.Context, method string, node gallery.NodeID, path string, body []byte, header ...http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+string(node)+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, h := range header {
		maps.Copy(req.Header, h)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "call node", Resource: string(node), Err: err}
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	var e v1.ErrorBody
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && json.Unmarshal(b, &e) == nil && e.Error.Code != "" {
		return nil, v1.ToGallery(e.Error)
	}
	return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "call node", Resource: string(node), Message: "unexpected answer " + resp.Status}
}

// maxJSON bounds a JSON answer, in bytes.
const maxJSON = 16 << 20

func (c *Client) json(ctx context.Context, method string, node gallery.NodeID, path string, out any) error {
	resp, err := c.request(ctx, method, node, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxJSON)).Decode(out); err != nil {
		return fmt.Errorf("answer of node %s: %w", node, err)
	}
	return nil
}

// Propose asks the leader to put a node's report into the log.
func (c *Client) Propose(ctx context.Context, leader gallery.NodeID, data []byte) ([]byte, error) {
	resp, err := c.request(ctx, http.MethodPost, leader, "/peer/v1/propose", data)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, maxJSON))
	if err != nil {
		// The report may have taken effect.
		return nil, &gallery.Error{Kind: gallery.ErrUnknownOutcome, Op: "propose", Err: err}
	}
	return out, nil
}

// Term asks a node for its raft term.
func (c *Client) Term(ctx context.Context, node gallery.NodeID) (uint64, error) {
	var n number
	return n.N, c.json(ctx, http.MethodGet, node, "/peer/v1/term", &n)
}

// Understands asks a node for the newest cluster version that its binary understands. One that does not know the question fails.
func (c *Client) Understands(ctx context.Context, node gallery.NodeID) (uint32, error) {
	var n number
	err := c.json(ctx, http.MethodGet, node, "/peer/v1/understands", &n)
	return uint32(min(n.N, 1<<32-1)), err
}

// ReadIndex asks the leader for its read index.
func (c *Client) ReadIndex(ctx context.Context, leader gallery.NodeID) (uint64, error) {
	var n number
	err := c.json(ctx, http.MethodPost, leader, "/peer/v1/read-index", &n)
	return n.N, err
}

// HashAt asks a node for its state's hash at an index.
func (c *Client) HashAt(ctx context.Context, node gallery.NodeID, index uint64) (digest.Digest, error) {
	var v struct {
		Hash digest.Digest `json:"hash"`
	}
	err := c.json(ctx, http.MethodGet, node, "/peer/v1/hash?index="+strconv.FormatUint(index, 10), &v)
	return v.Hash, err
}

// Live asks a node for its transfers.
func (c *Client) Live(ctx context.Context, node gallery.NodeID) ([]Live, error) {
	var l []Live
	err := c.json(ctx, http.MethodGet, node, "/peer/v1/live", &l)
	return l, err
}

// Have asks a node for the pieces of its copy of a disk, announced after m.
func (c *Client) Have(ctx context.Context, node gallery.NodeID, disk gallery.DiskID, m replicate.Mark) (replicate.Have, error) {
	path := fmt.Sprintf("/peer/v1/disks/%s/have?epoch=%d&seq=%d", disk, m.Epoch, m.Seq)
	resp, err := c.request(ctx, http.MethodGet, node, path, nil)
	if err != nil {
		return replicate.Have{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, replicate.MaxHaveSize+1))
	if err != nil {
		return replicate.Have{}, fmt.Errorf("pieces of node %s: %w", node, err)
	}
	return replicate.DecodeHave(b)
}

// busy turns the answer of a node that has too much to do into a replicate.Busy.
func busy(err error) error {
	var remote *wire.RemoteError
	if !errors.As(err, &remote) || remote.Code != CodeBusy {
		return err
	}
	after, _ := time.ParseDuration(remote.Text) // 0: the least
	return &replicate.Busy{After: max(0, after)}
}

// Shares tells a node about limits, and returns what it says of its own.
func (c *Client) Shares(ctx context.Context, node gallery.NodeID, own Shares) (Shares, error) {
	var out Shares
	body, err := json.Marshal(own)
	if err != nil {
		return out, err
	}
	resp, err := c.request(ctx, http.MethodPost, node, "/peer/v1/shares", body)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxJSON)).Decode(&out); err != nil {
		return out, fmt.Errorf("answer of node %s: %w", node, err)
	}
	return out, nil
}

// Forward passes a person's request on to the leader and returns its answer.
func (c *Client) Forward(r *http.Request, leader gallery.NodeID, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+string(leader)+"/forward"+r.URL.EscapedPath(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = r.URL.RawQuery
	for name, v := range r.Header {
		if !strings.EqualFold(name, "Connection") {
			req.Header[name] = v
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "forward to the leader", Resource: string(leader), Err: err}
	}
	return resp, nil
}
