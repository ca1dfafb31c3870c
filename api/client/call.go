package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"loggia/api/v1"
	"loggia/gallery"
)

// maxAnswer bounds a JSON answer, in bytes.
const maxAnswer = 64 << 20

// call is one request and how its answer is read.
type call struct {
	method, path string
	query        url.Values
	in           any               // JSON body, or nil
	body         []byte            // raw body, where in is nil
	header       map[string]string // further headers
	out          any               // JSON answer, or nil
	pin          bool              // only the node in use, no other
}

// leaderless is how long a write is sent again while the cluster has no leader. The request id makes
// a write that had taken effect answer as it did the first time.
const leaderless = 15 * time.Second

// do sends the call to the node in use and, where that cannot be reached, to the others.
func (c *Client) do(ctx context.Context, k call) error {
	if k.method != get && k.header == nil {
		k.header = map[string]string{}
	}
	if k.method != get {
		k.header[v1.RequestIDHeader] = uuid.NewString()
	}
	for began := time.Now(); ; {
		err := c.once(ctx, k)
		again := errors.Is(err, gallery.ErrNoLeader) || errors.Is(err, gallery.ErrUnknownOutcome)
		if !again || k.pin || time.Since(began) > leaderless {
			return err
		}
		if err := sleep(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

func (c *Client) once(ctx context.Context, k call) error {
	resp, err := c.open(ctx, k)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if k.out == nil {
		_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		return err
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(k.out); err != nil {
		return fmt.Errorf("%s %s: answer: %w", k.method, k.path, err)
	}
	return nil
}

// open returns a 2xx answer whose body the caller closes.
func (c *Client) open(ctx context.Context, k call) (*http.Response, error) {
	if k.in != nil {
		b, err := json.Marshal(k.in)
		if err != nil {
			return nil, err
		}
		k.body = b
	}
	tries := int64(len(c.bases))
	if k.pin {
		tries = 1
	}
	var errs []error
	for i := range tries {
		resp, err := c.try(ctx, c.base(i), k)
		if err == nil {
			if i > 0 {
				c.current.Add(i)
			}
			return answer(k, resp)
		}
		errs = append(errs, err)
		if ctx.Err() != nil || !unreachable(err) {
			break
		}
	}
	return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: k.method + " " + k.path, Err: errors.Join(errs...)}
}

// unreachable says whether another node may be asked: nothing of the request can have been done,
// or doing it twice is harmless since every write carries its request id.
func unreachable(err error) bool {
	var u *url.Error
	return errors.As(err, &u)
}

func (c *Client) try(ctx context.Context, base *url.URL, k call) (*http.Response, error) {
	req, err := c.request(ctx, base, k.method, k.path, k.query)
	if err != nil {
		return nil, err
	}
	if k.body != nil {
		req.Body = io.NopCloser(bytes.NewReader(k.body))
		req.ContentLength = int64(len(k.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(k.body)), nil }
		if k.in != nil {
			req.Header.Set("Content-Type", "application/json")
		} else {
			req.Header.Set("Content-Type", "application/octet-stream")
		}
	}
	for h, v := range k.header {
		req.Header.Set(h, v)
	}
	return c.http.Do(req)
}

// answer turns an answer that is no 2xx into the error that it carries.
func answer(k call, resp *http.Response) (*http.Response, error) {
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	var e v1.ErrorBody
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && json.Unmarshal(b, &e) == nil && e.Error.Code != "" {
		return nil, v1.ToGallery(e.Error)
	}
	return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: k.method + " " + k.path, Message: "unexpected answer " + resp.Status}
}

// escape joins path segments, each escaped.
func escape(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(s)
	}
	return b.String()
}

const (
	get    = http.MethodGet
	put    = http.MethodPut
	post   = http.MethodPost
	patch  = http.MethodPatch
	remove = http.MethodDelete
)
