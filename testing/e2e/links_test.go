package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"loggia/testing/s3servers"
)

var mostByLinks = regexp.MustCompile(`MiB by links, [0-9.]+ (B|KiB) through the node`)

// bucket is the configuration of a store on a server of its own, that gives links to whom is said.
func bucket(t *testing.T, kind s3servers.Kind, links string) string {
	t.Helper()
	srv := s3servers.Start(t, kind)
	file := filepath.Join(t.TempDir(), "credentials")
	keys := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", srv.AccessKey, srv.SecretKey)
	if err := os.WriteFile(file, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("- {name: main, kind: s3, links: %s, s3: {endpoint: '%s', bucket: %s, region: %s, style: path, ca_file: %s, credentials_file: %s, prefix: some/where}}",
		links, srv.Endpoint, srv.NewBucket(t), srv.Region, srv.CAFile, file)
}

// TestCopyByLinks copies between real S3 servers past the nodes, unless a limit is on the way or the configuration says no.
func TestCopyByLinks(t *testing.T) {
	t.Parallel()
	s := federate(t, []string{"a", "b", "c"}, map[string]string{"a": bucket(t, s3servers.VersityGW, "all"), "b": bucket(t, s3servers.MinIO, "clients")})
	linked := func(region string) float64 {
		t.Helper()
		a := s.ask(t, http.MethodGet, s.address(region)+"/metrics", s.vars["LOGGIA_TOKEN"], nil)
		m := linkedBytes.FindStringSubmatch(string(a.body))
		if m == nil {
			t.Fatalf("metrics of region %s: %d without the count", region, a.status)
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	dir, n := t.TempDir(), seed(t)
	for i, c := range []struct {
		from, to string
		limit    bool
		least    float64 // bytes by links
	}{
		{"a", "b", false, 16 * mib},
		{"a", "b", true, 0},
		{"a", "c", false, 16 * mib},
		{"b", "c", false, 0},
		{"b", "a", false, 0},
	} {
		version, file := fmt.Sprintf("g/i/%d.0.0", i+1), image(t, filepath.Join(dir, "image"), 64, n+uint64(i))
		if c.limit {
			s.ok(t, "limit", "set", "1GB/s", "--from", c.from, "--to", c.to)
		}
		was := linked(c.to)
		s.at(c.from).ok(t, "publish", file, version, "--regions", c.from+","+c.to)
		if got := linked(c.to) - was; got < c.least || c.least == 0 && got > 0 {
			t.Errorf("%s to %s, limited %t: %.0f bytes by links, want at least %.0f, or none", c.from, c.to, c.limit, got, c.least)
		}
		out := filepath.Join(t.TempDir(), "out")
		s.at(c.to).ok(t, "pull", version, "-o", out)
		same(t, out, file)
		if c.limit {
			s.ok(t, "limit", "remove", "--from", c.from, "--to", c.to)
		}
	}
	s.ok(t, "verify", "--region", "b")
}

var linkedBytes = regexp.MustCompile(`(?m)^loggia_frames_linked_bytes_total ([0-9.e+]+)$`)

// TestPullByLinks pulls from real S3 servers past the node. A directory gives no links, and then everything comes through the node.
func TestPullByLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := federate(t, []string{"a", "b", "c"}, map[string]string{"b": bucket(t, s3servers.VersityGW, "all"), "c": bucket(t, s3servers.MinIO, "clients")})
	n := seed(t)
	one, two := image(t, filepath.Join(dir, "one"), 24, n), image(t, filepath.Join(dir, "two"), 24, n+1)
	s.ok(t, "publish", one, "g/i/1.0.0", "--regions", "a,b,c")
	s.ok(t, "publish", two, "g/i/2.0.0", "--regions", "a,b,c")
	pull := func(t *testing.T, region, version, want string, more ...string) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		r := s.at(region).run(t, append([]string{"pull", version, "-o", out, "--links"}, more...)...)
		if r.code != 0 {
			t.Fatalf("%s: exit %d: %s", r.name(), r.code, r.err)
		}
		if len(more) == 0 {
			same(t, out, want)
		}
		return r.err
	}
	for _, region := range []string{"b", "c"} {
		for version, want := range map[string]string{"g/i/1.0.0": one, "g/i/2.0.0": two} {
			// A frame that lies alone in its pack, and is short, has no link.
			if said := pull(t, region, version, want); !mostByLinks.MatchString(said) || strings.Contains(said, "links:") {
				t.Errorf("region %s, %s: %s", region, version, said)
			}
		}
		pull(t, region, "g/i/2.0.0", two, "--format", "qcow2")
	}
	if said := pull(t, "a", "g/i/1.0.0", one); !strings.Contains(said, "0 B by links") || !strings.Contains(said, "gives no links") {
		t.Errorf("region a: %s", said)
	}
	t.Run("who may not", func(t *testing.T) {
		for token, want := range map[string]int{"": http.StatusUnauthorized, s.vars["LOGGIA_TOKEN"]: http.StatusBadRequest} {
			path := s.address("b") + "/v1/galleries/g/images/i/versions/1.0.0/disks/os/links"
			if a := s.ask(t, http.MethodPost, path, token, []byte("no stream")); a.status != want {
				t.Errorf("got %d %s, want %d", a.status, a.body, want)
			}
		}
	})
	for region, d := range s.daemons {
		log, err := os.ReadFile(d.log)
		if err != nil || strings.Contains(string(log), "Signature") {
			t.Errorf("the log of region %s holds a link, %v", region, err)
		}
	}
}
