package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loggia/api/v1"
)

// servers is a cluster of separate processes, one `loggia server` a region.
type servers struct {
	cluster
	t       *testing.T // the daemons run until it ends
	regions []string
	conf    map[string]string // region -> configuration file
	daemons map[string]*daemon
}

// port finds a free port of the loopback.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// federate starts a cluster of processes: the first founds it, the others join by token. store may
// name another directory than the default for a region's store, or be the YAML of a store, "- ...".
func federate(t *testing.T, regions []string, store map[string]string) *servers {
	t.Helper()
	return federateWith(t, regions, store, "")
}

// federateWith adds lines to every region's configuration.
func federateWith(t *testing.T, regions []string, store map[string]string, more string) *servers {
	t.Helper()
	s := &servers{cluster: cluster{dir: t.TempDir(), vars: map[string]string{}}, t: t, regions: regions,
		conf: map[string]string{}, daemons: map[string]*daemon{}}
	for n, r := range regions {
		if err := os.MkdirAll(s.home(r), 0o700); err != nil {
			t.Fatal(err)
		}
		how := "bootstrap: true"
		if n > 0 {
			token := s.ok(t, "members", "join-token", "--region", r, "--seat", "voter")
			how = fmt.Sprintf("join: ['%s'], token: %s", strings.TrimPrefix(s.address(regions[0]), "https://"), token)
		}
		if store[r] == "" {
			store = with(store, r, filepath.Join(s.home(r), "store"))
		}
		s.configure(t, r, how, store[r], more)
		s.begin(r)
		if n == 0 {
			s.found(t, r)
		}
		s.ready(t, r)
	}
	s.voting(t)
	return s
}

func with(m map[string]string, k, v string) map[string]string {
	out := map[string]string{k: v}
	for a, b := range m {
		out[a] = b
	}
	return out
}

func (s *servers) home(region string) string { return filepath.Join(s.dir, region) }

func (s *servers) configure(t *testing.T, region, how, store, more string) {
	t.Helper()
	listen := port(t)
	s.vars["LOGGIA_ADDRESS_"+strings.ToUpper(region)] = "https://" + listen
	s.conf[region] = filepath.Join(s.home(region), "loggia.yaml")
	if !strings.HasPrefix(store, "- ") {
		store = fmt.Sprintf("- {name: main, kind: filesystem, path: %s, reserve: 1MiB}", store)
	}
	text := fmt.Sprintf("data: %s\nregion: %s\nlisten: %s\ngossip: {listen: '%s'}\ncluster: {rtt: 10ms, %s}\nstores:\n%s\n",
		filepath.Join(s.home(region), "node"), region, listen, port(t), how, store) + more
	if err := os.WriteFile(s.conf[region], []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// begin starts a region's daemon and does not wait.
func (s *servers) begin(region string) {
	s.t.Helper()
	s.daemons[region] = start(s.t, filepath.Join(s.home(region), "log"), "server", "--config", s.conf[region])
}

// found waits for the operator's token of a new cluster.
func (s *servers) found(t *testing.T, region string) {
	t.Helper()
	ca, token := filepath.Join(s.home(region), "node", "ca.crt"), []byte(nil)
	eventually(t, "the operator's token", func() (err error) {
		token, err = os.ReadFile(filepath.Join(s.home(region), "node", "admin.token"))
		return err
	})
	s.vars["LOGGIA_CACERT"], s.vars["LOGGIA_TOKEN"] = ca, strings.TrimSpace(string(token))
	s.user = user{environment(filepath.Join(s.dir, "state"), "LOGGIA_ADDRESS="+s.address(region), "LOGGIA_CACERT="+ca, "LOGGIA_TOKEN="+s.vars["LOGGIA_TOKEN"])}
}

// ready waits until a region serves.
func (s *servers) ready(t *testing.T, region string) {
	t.Helper()
	eventually(t, "region "+region+" to be ready", func() error {
		if d := s.daemons[region]; !d.running() {
			b, _ := os.ReadFile(d.log)
			t.Fatalf("region %s ended: %v\n%s", region, d.err, b)
		}
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.address(region), "https://"), time.Second)
		if err != nil {
			return err
		}
		conn.Close()
		if _, err := os.Stat(s.vars["LOGGIA_CACERT"]); err != nil {
			return err
		}
		if a := s.ask(t, "GET", s.address(region)+"/readyz", "", nil); a.status != 200 {
			return errors.New(a.body)
		}
		return nil
	})
}

// voting waits until every region has its vote.
func (s *servers) voting(t *testing.T) {
	t.Helper()
	eventually(t, "every region to vote", func() error {
		voters := 0
		for _, p := range read[[]v1.RaftPeer](t, s.user, "operator", "raft", "list-peers") {
			if p.Voter {
				voters++
			}
		}
		if voters != len(s.regions) {
			return fmt.Errorf("%d voters", voters)
		}
		return nil
	})
}

// leader names the region that leads, as another one sees it.
func (s *servers) leader(t *testing.T, seenFrom string) string {
	t.Helper()
	region := ""
	eventually(t, "a leader", func() error {
		st := read[v1.Status](t, s.at(seenFrom), "status")
		for _, m := range st.Members {
			if m.ID == st.Leader {
				region = m.Region
				return nil
			}
		}
		return errors.New("none is known")
	})
	return region
}
