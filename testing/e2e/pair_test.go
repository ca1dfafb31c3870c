package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loggia/api/v1"
	"loggia/testing/s3servers"
)

// TestTwoNodes has a region of two nodes and one store: each replica is made by one of them, and
// when that one dies in the middle the other goes on.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	srv := s3servers.Start(t, s3servers.VersityGW)
	line, url := shutAfter(t, srv.Endpoint, -1, -1)
	store := fmt.Sprintf("- {name: main, kind: s3, s3: {endpoint: '%s', bucket: %s, region: %s, style: path, ca_file: %s, access_key: %s, secret_key: %s}}",
		url, srv.NewBucket(t), srv.Region, srv.CAFile, srv.AccessKey, srv.SecretKey)
	s := federate(t, []string{"a", "b", "c"}, map[string]string{"b": store})
	nodes := map[string]*daemon{nodeID(t, s, "b"): s.daemons["b"]}
	config, address := s.second(t, "b", store)
	begin := func() *daemon { return start(t, filepath.Join(s.home("b"), "log2"), "server", "--config", config) }
	two := begin()
	b2 := s.with("LOGGIA_ADDRESS=" + address)
	eventually(t, "two nodes of region b", func() error {
		r := read[v1.Region](t, s.user, "region", "show", "b")
		if r.Nodes != 2 || len(r.Stores) != 1 || r.Stores[0].State != "ok" {
			return fmt.Errorf("%+v", r)
		}
		if r := b2.run(t, "status"); r.code != 0 {
			return errors.New(r.err)
		}
		if a := s.ask(t, "GET", address+"/readyz", "", nil); a.status != 200 {
			return errors.New(a.body)
		}
		return nil
	})
	nodes[read[v1.Status](t, b2, "status").Node] = two
	dir, n := t.TempDir(), seed(t)

	t.Run("a replica is made once", func(t *testing.T) {
		for k := range 3 {
			file, name := image(t, filepath.Join(dir, fmt.Sprint("small", k)), 4, n+uint64(k)), fmt.Sprintf("g/small/1.0.%d", k)
			s.ok(t, "publish", file, name, "--regions", "a,b=2", "--base", "")
			st := read[v1.VersionStatus](t, b2, "status", name)
			for _, p := range replicas(st, "b") {
				if p.Attempts != 1 || p.Sent != p.Total {
					t.Errorf("%s: %d attempts, %d of %d bytes sent", name, p.Attempts, p.Sent, p.Total)
				}
			}
			out := filepath.Join(dir, "out")
			b2.ok(t, "pull", name, "-o", out)
			same(t, out, file)
		}
	})

	t.Run("the node at work dies", func(t *testing.T) {
		file := image(t, filepath.Join(dir, "big"), 40, n+9)
		s.ok(t, "publish", file, "g/big/1.0.0", "--regions", "a", "--base", "")
		line.slow.Store(int64(30 * time.Millisecond))
		s.ok(t, "version", "update", "g/big/1.0.0", "--regions", "a,b")
		worker := ""
		eventually(t, "a node of b to be at work", func() error {
			for _, p := range replicas(read[v1.VersionStatus](t, s.user, "status", "g/big/1.0.0"), "b") {
				if p.State == "Replicating" && p.Sent > 0 && nodes[p.Node] != nil {
					worker = p.Node
					return nil
				}
			}
			return errors.New("none yet")
		})
		nodes[worker].kill(t)
		line.slow.Store(0)
		// The claim of the dead stands for its lease, 2 minutes: nobody can know that it is not only slow.
		within(t, 4*time.Minute, "the other node to go on", func() error {
			st := read[v1.VersionStatus](t, s.user, "status", "g/big/1.0.0")
			if st.State != "Completed" {
				return fmt.Errorf("%+v", replicas(st, "b"))
			}
			return nil
		})
		other := b2
		if nodes[worker] == two {
			other = s.at("b")
		}
		out := filepath.Join(dir, "big.out")
		other.ok(t, "pull", "g/big/1.0.0", "-o", out)
		same(t, out, file)
	})
}

// replicas are those of a region.
func replicas(s v1.VersionStatus, region string) []v1.Replica {
	for _, r := range s.Regions {
		if r.Region == region {
			return r.Replicas
		}
	}
	return nil
}

func nodeID(t *testing.T, s *servers, region string) string {
	t.Helper()
	return read[v1.Status](t, s.at(region), "status").Node
}

// second configures another node of a region and returns its file and its URL.
func (s *servers) second(t *testing.T, region, store string) (config, url string) {
	t.Helper()
	token := s.ok(t, "members", "join-token", "--region", region)
	listen := port(t)
	config = filepath.Join(s.home(region), "second.yaml")
	text := fmt.Sprintf("data: %s\nregion: %s\nlisten: %s\ngossip: {listen: '%s'}\ncluster: {rtt: 10ms, join: ['%s'], token: %s}\nstores:\n%s\n",
		filepath.Join(s.home(region), "node2"), region, listen, port(t), strings.TrimPrefix(s.address("a"), "https://"), token, store)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, "https://" + listen
}
