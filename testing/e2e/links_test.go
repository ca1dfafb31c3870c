package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"loggia/testing/s3servers"
)

var mostByLinks = regexp.MustCompile(`MiB by links, [0-9.]+ (B|KiB) through the node`)

// TestPullByLinks pulls from real S3 servers past the node. A directory gives no links, and then everything comes through the node.
func TestPullByLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := map[string]string{}
	for region, kind := range map[string]s3servers.Kind{"b": s3servers.VersityGW, "c": s3servers.MinIO} {
		srv := s3servers.Start(t, kind)
		file := filepath.Join(dir, region+".credentials")
		keys := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", srv.AccessKey, srv.SecretKey)
		if err := os.WriteFile(file, []byte(keys), 0o600); err != nil {
			t.Fatal(err)
		}
		stores[region] = fmt.Sprintf("- {name: main, kind: s3, s3: {endpoint: '%s', bucket: %s, region: %s, style: path, ca_file: %s, credentials_file: %s, prefix: some/where}}",
			srv.Endpoint, srv.NewBucket(t), srv.Region, srv.CAFile, file)
	}
	s := federate(t, []string{"a", "b", "c"}, stores)
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
