package s3

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
)

// checked turns answers that say 200 and hold an error document into errors. S3 does that for
// copies and lists that fail after the header went out, and minio-go would take the first for a
// copy and the second for an empty bucket.
type checked struct{ next http.RoundTripper }

// maxDocument bounds an answer to a list (1,000 keys of 1 KiB, escaped, with their tags) or a copy.
const maxDocument = 16 << 20

// RoundTrip implements http.RoundTripper.
func (c checked) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(bare(req))
	want := document(req)
	if err != nil || resp.StatusCode != http.StatusOK || want == "" {
		return resp, err
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(doc) > maxDocument {
		return nil, fmt.Errorf("answer is longer than %d bytes", maxDocument)
	}
	resp.Body = io.NopCloser(bytes.NewReader(doc))
	root, err := rootElement(doc)
	switch {
	case err != nil:
		return nil, fmt.Errorf("answer is no document: %w", err)
	case root == "Error":
		resp.StatusCode, resp.Status = http.StatusInternalServerError, "500 error document in an answer of 200"
	case root != want:
		return nil, fmt.Errorf("answer is a document %q, not %q", root, want)
	}
	return resp, nil
}

// document names the root of a good answer to req where that is XML: lists, and copies.
func document(req *http.Request) string {
	switch {
	case req.Method == http.MethodGet && req.URL.Query().Has("list-type"):
		return "ListBucketResult"
	case req.Method == http.MethodPut && req.Header.Get("X-Amz-Copy-Source") != "":
		return "CopyObjectResult"
	}
	return ""
}

func rootElement(doc []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		if start, ok := token.(xml.StartElement); ok {
			return start.Name.Local, nil
		}
	}
}
