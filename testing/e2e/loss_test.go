package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loggia/api/v1"
)

// TestLoss kills the home region of a version, with -9, and goes on without it.
func TestLoss(t *testing.T) {
	t.Parallel()
	s := federate(t, []string{"a", "b", "c"}, nil)
	dir := t.TempDir()
	n := seed(t)
	one := image(t, filepath.Join(dir, "one"), 16, n)
	two := changed(t, one, filepath.Join(dir, "two"), n+1)
	s.ok(t, "publish", one, "g/i/1.0.0", "--regions", "a,b")
	if list := read[[]v1.Member](t, s.at("c"), "members"); len(list) != 3 {
		t.Errorf("members: %+v", list)
	}

	s.daemons["a"].kill(t)
	t.Run("a write from a surviving region", func(t *testing.T) {
		began := time.Now()
		s.at("b").ok(t, "gallery", "create", "after")
		// How fast a leader follows is measured in cluster/consensus, in virtual time: here the machine may be busy.
		if took := time.Since(began); took > patience {
			t.Errorf("the write took %v", took)
		}
	})
	t.Run("target regions change", func(t *testing.T) {
		s.at("c").ok(t, "version", "update", "g/i/1.0.0", "--regions", "a,b,c")
		s.at("c").ok(t, "wait", "g/i/1.0.0", "--for", "all", "--timeout", "60s")
		out := filepath.Join(dir, "out")
		s.at("c").ok(t, "pull", "g/i/1.0.0", "-o", out)
		same(t, out, one)
	})
	t.Run("a publish elsewhere", func(t *testing.T) {
		r := s.at("b").run(t, "publish", two, "g/i/2.0.0", "--regions", "a,b,c", "--wait", "2")
		r.failed(0, "durable in b")
		st := states(read[v1.VersionStatus](t, s.at("b"), "status", "g/i/2.0.0"))
		if st["b"] != "Completed" || st["c"] != "Completed" || st["a"] == "Completed" {
			t.Errorf("states are %v", st)
		}
		s.at("b").fails(t, 6, []string{"not done within"}, "wait", "g/i/2.0.0", "--timeout", "1s")
	})
	t.Run("another address is used", func(t *testing.T) {
		s.with("LOGGIA_ADDRESS="+s.address("a")+","+s.address("c")).ok(t, "version", "show", "g/i/2.0.0")
	})
	t.Run("the killed region catches up", func(t *testing.T) {
		s.begin("a")
		s.ready(t, "a")
		s.at("b").ok(t, "wait", "g/i/2.0.0", "--timeout", "60s")
		out := filepath.Join(dir, "caught")
		s.at("a").ok(t, "pull", "g/i/latest", "-o", out)
		same(t, out, two)
		s.at("a").ok(t, "gallery", "show", "after")
	})
	t.Run("a planned stop hands over", func(t *testing.T) { planned(t, s) })
	t.Run("no leader", func(t *testing.T) { leaderless(t, s, dir, one, two) })
}

// planned stops the leader's region with SIGTERM: the next write waits for nothing.
func planned(t *testing.T, s *servers) {
	first := s.leader(t, "b")
	other := map[string]string{"a": "b", "b": "c", "c": "a"}[first]
	s.daemons[first].stop(t)
	began := time.Now()
	s.at(other).ok(t, "gallery", "create", "handed")
	if took := time.Since(began); took > patience/2 {
		t.Errorf("a write after a planned stop took %v", took)
	}
	if next := s.leader(t, other); next == first {
		t.Errorf("the stopped region %s still leads", next)
	}
	s.begin(first)
	s.ready(t, first)
}

// leaderless leaves one region of three: it reads and pulls, and refuses to write with exit 7.
func leaderless(t *testing.T, s *servers, dir, one, two string) {
	s.daemons["a"].kill(t)
	s.daemons["b"].kill(t)
	eventually(t, "region c to see that nobody leads", func() error {
		if st := read[v1.Status](t, s.at("c"), "status"); st.Leader != "" {
			return os.ErrExist
		}
		return nil
	})
	out := filepath.Join(dir, "alone")
	s.at("c").ok(t, "pull", "g/i/2.0.0", "-o", out)
	same(t, out, two)
	r := s.at("c").run(t, "publish", one, "g/i/3.0.0")
	r.failed(7, "leader", "nothing was sent")
	s.at("c").fails(t, 7, []string{"leader"}, "gallery", "create", "alone")
	if a := s.ask(t, "GET", s.address("c")+"/v1/galleries?consistency=strong", s.vars["LOGGIA_TOKEN"], nil); a.status != 503 {
		t.Errorf("a strong read without a leader: %d %s", a.status, a.body)
	}
	if a := s.ask(t, "GET", s.address("c")+"/readyz", "", nil); a.status != 503 || !strings.Contains(a.body, "leader") {
		t.Errorf("ready without a leader: %d %s", a.status, a.body)
	}
	s.begin("a")
	s.begin("b")
	s.ready(t, "a")
	s.ready(t, "b")
	s.at("c").ok(t, "gallery", "create", "together")
}
