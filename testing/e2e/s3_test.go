package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"loggia/api/v1"
	"loggia/testing/s3servers"
)

// TestS3Stores runs regions on real S3 servers. One of them becomes slow, then refuses: that has a
// name, the other regions go on, and nothing is lost.
func TestS3Stores(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	credentials := func(srv s3servers.Server, secret string) string {
		file := filepath.Join(dir, string(srv.Kind)+".credentials")
		text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", srv.AccessKey, secret)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	store := func(srv s3servers.Server, endpoint string) string {
		return fmt.Sprintf("- {name: main, kind: s3, s3: {endpoint: '%s', bucket: %s, region: %s, style: path, ca_file: %s, credentials_file: %s}}",
			endpoint, srv.NewBucket(t), srv.Region, srv.CAFile, credentials(srv, srv.SecretKey))
	}
	far, near := s3servers.Start(t, s3servers.VersityGW), s3servers.Start(t, s3servers.MinIO)
	line, url := shutAfter(t, far.Endpoint, -1, -1)
	s := federateWith(t, []string{"a", "b", "c"}, map[string]string{"b": store(far, url), "c": store(near, near.Endpoint)}, "collection: {grace: 100ms}\n")
	n := seed(t)
	disk := func(name string, k uint64) string { return image(t, filepath.Join(dir, name), 12, n+k) }
	pulled := func(t *testing.T, region, version, want string) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		s.at(region).ok(t, "pull", version, "-o", out)
		same(t, out, want)
	}

	t.Run("publish, replicate, pull", func(t *testing.T) {
		one := disk("one", 0)
		s.at("b").ok(t, "publish", one, "g/i/1.0.0", "--regions", "a,b=2,c")
		pulled(t, "b", "g/i/1.0.0", one)
		pulled(t, "c", "g/i/1.0.0", one)
	})
	t.Run("a store that slows down", func(t *testing.T) {
		two, three := disk("two", 1), disk("three", 2)
		line.slow.Store(int64(40 * time.Millisecond))
		s.ok(t, "publish", two, "g/i/2.0.0", "--regions", "a,b,c", "--wait", "2")
		s.ok(t, "publish", three, "g/i/3.0.0", "--regions", "a,c") // is not held up
		s.ok(t, "wait", "g/i/2.0.0", "--timeout", "90s")
		pulled(t, "b", "g/i/2.0.0", two)
		line.slow.Store(0)
	})
	t.Run("a store that refuses", func(t *testing.T) {
		four, five := disk("four", 3), disk("five", 4)
		credentials(far, "no longer the secret")
		s.ok(t, "publish", four, "g/i/4.0.0", "--regions", "a,b,c", "--wait", "2")
		replicaReason(t, s, "a", "g/i/4.0.0", "b", "StoreForbidden")
		if st := storeState(t, s, "c", "b", "forbidden"); st.Reason == "" {
			t.Error("the store that refuses gives no reason")
		}
		s.at("b").fails(t, 8, []string{"forbidden"}, "publish", five, "g/i/5.0.0")
		pulled(t, "c", "g/i/4.0.0", four)
		credentials(far, far.SecretKey)
		s.ok(t, "wait", "g/i/4.0.0", "--through-failures", "--timeout", "90s")
		pulled(t, "b", "g/i/4.0.0", four)
		storeState(t, s, "c", "b", "ok")
		s.at("b").ok(t, "publish", five, "g/i/5.0.0")
	})
	t.Run("what is deleted is collected, and nothing else", func(t *testing.T) {
		for _, v := range []string{"2.0.0", "3.0.0", "5.0.0"} {
			s.ok(t, "version", "delete", "g/i/"+v)
		}
		for _, region := range []string{"b", "c"} {
			got := read[v1.Collections](t, s.user, "operator", "collect", "--region", region)
			for _, x := range got.Value {
				if x.State != "Done" || x.Unexplained != 0 || x.GarbageBytes == 0 && x.Slot == 1 {
					t.Errorf("region %s: %+v", region, x)
				}
			}
			if counts, all := check(t, s.user, 0, "--region", region); len(counts) > 0 {
				t.Errorf("region %s: %+v", region, all)
			}
			pulled(t, region, "g/i/1.0.0", disk("one", 0))
			pulled(t, region, "g/i/4.0.0", disk("four", 3))
		}
	})
}
