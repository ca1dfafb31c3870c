package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"loggia/api/v1"
)

// web returns an HTTP client that trusts the cluster's CA and nothing else.
func (c *cluster) web(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(c.vars["LOGGIA_CACERT"])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in the CA file")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// answer is what a request got.
type answer struct {
	status int
	body   string
	fault  v1.Error
}

// ask sends a request to a region; token "" sends none.
func (c *cluster) ask(t *testing.T, method, url, token string, body []byte, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for n := 0; n+1 < len(header); n += 2 {
		req.Header.Set(header[n], header[n+1])
	}
	resp, err := c.web(t).Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4*mib))
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	a := answer{status: resp.StatusCode, body: string(b)}
	var e v1.ErrorBody
	if json.Unmarshal(b, &e) == nil {
		a.fault = e.Error
	}
	return a
}

// regional sets the regional exclude-from-latest of region b, which the command line has no flag for.
func regional(t *testing.T, c *cluster, g, i, v string) {
	t.Helper()
	yes := true
	body, err := json.Marshal(v1.VersionPatch{TargetRegions: &[]v1.TargetRegion{{Name: "a"}, {Name: "b", ExcludeFromLatest: &yes}}})
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("%s/v1/galleries/%s/images/%s/versions/%s", c.address("c"), g, i, v)
	if a := c.ask(t, "PATCH", url, c.vars["LOGGIA_TOKEN"], body); a.status != http.StatusOK {
		t.Fatalf("PATCH: %d %s", a.status, a.body)
	}
	// The write went through another region: both others must hear of it before they are asked.
	for _, region := range []string{"a", "b"} {
		eventually(t, "the flag in region "+region, func() error {
			got := read[v1.Version](t, c.at(region), "version", "show", g+"/"+i+"/"+v)
			for _, r := range got.TargetRegions {
				if r.ExcludeFromLatest != nil && *r.ExcludeFromLatest {
					return nil
				}
			}
			return errors.New("not there yet")
		})
	}
}

// listen follows the events of a region until the test ends.
func (c *cluster) listen(t *testing.T, region, query string) <-chan v1.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", c.address(region)+"/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.vars["LOGGIA_TOKEN"])
	client := c.web(t)
	client.Timeout = 0
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || ct != "text/event-stream" {
		t.Fatalf("events: %s, %s", resp.Status, ct)
	}
	events := make(chan v1.Event)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(events)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, mib)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			var e v1.Event
			if !ok || json.Unmarshal([]byte(data), &e) != nil {
				continue
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); resp.Body.Close(); <-done })
	return events
}

// heard waits for an event that fits.
func heard(t *testing.T, events <-chan v1.Event, what string, fits func(v1.Event) bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended before %s", what)
			}
			if fits(e) {
				return
			}
		case <-limit:
			t.Fatalf("no event within %v: %s", patience, what)
		}
	}
}
