package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loggia/api/v1"
)

// TestSteering limits, pauses and frees a copy while it runs, and looks at it from a third region.
func TestSteering(t *testing.T) {
	t.Parallel()
	s := federate(t, []string{"a", "b", "c"}, nil)
	dir := t.TempDir()
	one := image(t, filepath.Join(dir, "one"), 96, seed(t))
	const version = "g/i/1.0.0"
	copyOf := func() v1.Replica {
		for _, r := range read[v1.VersionStatus](t, s.at("c"), "status", version).Regions {
			if r.Region == "b" && len(r.Replicas) == 1 {
				return r.Replicas[0]
			}
		}
		return v1.Replica{}
	}

	for _, zero := range []string{"0Mbit/s", "0B/s", "0.000000GB/s"} {
		s.fails(t, 2, []string{"rate", "0 is no limit", "pause", "remove"}, "limit", "set", zero, "--from", "a", "--to", "b")
	}
	s.fails(t, 2, []string{"rate", "such as 100Mbit/s"}, "limit", "set", "100", "--from", "a")
	s.fails(t, 2, []string{"from"}, "limit", "set", "1MB/s")
	s.fails(t, 2, []string{"rate", "at least"}, "limit", "set", "1kB/s", "--to", "b")
	s.fails(t, 3, []string{"nowhere"}, "limit", "set", "1MB/s", "--from", "a", "--to", "nowhere")
	s.ok(t, "limit", "set", "1MiB/s", "--from", "a", "--to", "b")
	s.ok(t, "publish", one, version, "--regions", "a,b", "--wait", "local", "--priority", "high")

	var before v1.Replica
	eventually(t, "bytes to come", func() error {
		if before = copyOf(); before.Sent == 0 {
			return fmt.Errorf("%+v", before)
		}
		return nil
	})
	began := time.Now()
	eventually(t, "four more MiB under the limit", func() error {
		now := copyOf()
		// One-sided, so that a busy machine fails nothing: two frames on their way and a burst may come beside the limit.
		if most := int64(time.Since(began).Seconds()*mib) + 2*mib; now.Sent-before.Sent > most {
			t.Fatalf("%d bytes in %v under a limit of 1 MiB/s", now.Sent-before.Sent, time.Since(began))
		}
		if now.Sent-before.Sent < 4*mib {
			return fmt.Errorf("%+v", now)
		}
		return nil
	})
	eventually(t, "the truth, told by a region that has no part in it", func() error {
		p := copyOf()
		if p.Step != "copying" || p.Rate <= 0 || p.ETA <= 0 || p.ETANote == "" || p.Priority != "high" || p.Left <= 0 || p.Left != p.Total-p.Have-p.Sent ||
			len(p.Sources) == 0 || p.Sources[0].Name != "a" {
			return fmt.Errorf("%+v", p)
		}
		return nil
	})
	for _, text := range []string{s.ok(t, "region", "show", "b"), s.ok(t, "status"), s.ok(t, "limit", "list")} {
		if !strings.Contains(text, "1 MiB/s") {
			t.Errorf("the limit is not shown:\n%s", text)
		}
	}

	s.ok(t, "limit", "set", "64KiB/s", "--from", "a", "--to", "b")
	s.at("c").ok(t, "pause", version, "--region", "b")
	var rest v1.Replica
	eventually(t, "the copy to rest", func() error {
		if rest = copyOf(); rest.Step != "paused" || rest.Node != "" || rest.Paused == nil || rest.Paused.By == "" {
			return fmt.Errorf("%+v", rest)
		}
		return nil
	})
	s.fails(t, 3, nil, "pause", "g/i/9.9.9")
	s.fails(t, 2, []string{"regions", "no target"}, "pause", version, "--region", "c")
	s.ok(t, "resume", version)
	eventually(t, "the copy to go on with what it had", func() error {
		if p := copyOf(); p.Paused != nil || p.Have < 3*mib {
			return fmt.Errorf("%+v", p)
		}
		return nil
	})
	if p := copyOf(); p.State == "Completed" {
		t.Error("it was done at 64 KiB/s: the test shows nothing")
	}
	// At 64 KiB/s the rest would take many minutes.
	s.ok(t, "limit", "remove", "--from", "a", "--to", "b")
	s.ok(t, "wait", version, "--timeout", "60s")
	out := filepath.Join(dir, "out")
	s.at("b").ok(t, "pull", version, "-o", out)
	same(t, out, one)
	s.fails(t, 5, []string{"nothing to pause"}, "pause", version)
	s.fails(t, 3, nil, "limit", "remove", "--from", "a", "--to", "b")
}
