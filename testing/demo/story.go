package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"loggia/api/v1"
	"loggia/testing/clusterlab"
	"loggia/testing/netlab"
)

var regions = []string{"amsterdam", "berlin", "cairo"}

// story is the demonstration: what is done, and what came of it.
type story struct {
	ctx                        context.Context
	dir, loggia, images, store string
	c                          *clusterlab.Cluster
	began                      time.Time
	rows                       [][2]string
	failed                     []string
	first                      links // of the first image
}

func (s *story) say(format string, args ...any) {
	fmt.Printf("[%6.1fs] "+format+"\n", append([]any{time.Since(s.began).Seconds()}, args...)...)
}

func (s *story) note(what, came string, args ...any) {
	s.rows = append(s.rows, [2]string{what, fmt.Sprintf(came, args...)})
}

// check notes a fact that must hold.
func (s *story) check(ok bool, what, came string, args ...any) {
	verdict := "ok: "
	if !ok {
		verdict = "WRONG: "
		s.failed = append(s.failed, what)
	}
	s.note(what, verdict+came, args...)
}

func (s *story) tell() error {
	s.began = time.Now()
	steps := []func() error{s.cluster, s.publishFirst, s.publishSecond, s.loseHome, s.goOn, s.pullBoth, s.memory}
	for _, step := range steps {
		if err := step(); err != nil {
			if s.c != nil {
				err = errors.Join(err, s.c.Close())
			}
			return err
		}
	}
	err := s.c.Close()
	s.table()
	if len(s.failed) > 0 {
		err = errors.Join(err, fmt.Errorf("wrong: %s", strings.Join(s.failed, ", ")))
	}
	return err
}

func (s *story) cluster() (err error) {
	o := clusterlab.Options{Loggia: s.loggia, Dir: s.dir, Regions: regions, Networks: true, S3: s.store}
	switch s.store {
	case "filesystem", "":
		o.S3 = ""
	case "s3":
		o.S3 = "versitygw"
	}
	if self, err := os.Executable(); err == nil {
		o.S3Helper = []string{self, "s3"}
	}
	s.say("starting three region daemons, each a process with TLS, its own network and store: %s", strings.Join(regions, ", "))
	s.c, err = clusterlab.New(s.ctx, o)
	if errors.Is(err, netlab.ErrForbidden) {
		s.say("no network namespaces here (%v): all on loopback", err)
		o.Networks = false
		s.c, err = clusterlab.New(s.ctx, o)
	}
	if err != nil {
		return err
	}
	kind := "filesystem"
	if o.S3 != "" {
		kind = o.S3 + " (S3 over TLS), one server a region"
	}
	counted := "each node's own count"
	if s.c.Lab != nil {
		counted = "the kernel's counters of each link, all traffic between the regions included"
	}
	s.note("stores", "%s", kind)
	s.note("bytes on links are", "%s", counted)
	return nil
}

func (s *story) run(region string, args ...string) (string, error) {
	s.say("%s$ loggia %s", region, strings.Join(args, " "))
	return s.c.Run(s.ctx, indent{}, region, args...)
}

// indent prints what a command says.
type indent struct{}

func (indent) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		fmt.Print("            | ", line)
	}
	return len(b), nil
}

const gallery, image = "demo", "debian"

func version(n string) string { return gallery + "/" + image + "/" + n }

// link leads from one region to another.
type link struct{ from, to string }

// links are the bytes that crossed each link: by the kernel's counters, or else what the replicas of
// a version say that they were sent.
type links map[link]int64

// into is what a region has received, from whichever regions.
func (l links) into(region string) int64 {
	var sum int64
	for k, n := range l {
		if k.to == region {
			sum += n
		}
	}
	return sum
}

func (s *story) links(name string) (links, error) {
	if s.c.Lab == nil {
		return s.reported(name)
	}
	out := links{}
	for _, to := range regions {
		for _, from := range regions {
			if from == to {
				continue
			}
			t, err := s.c.Lab.Between(to, from)
			if err != nil {
				return nil, err
			}
			out[link{from, to}] = t.Received
		}
	}
	return out, nil
}

// reported is what the nodes themselves counted for a version; before there is one, nothing.
func (s *story) reported(name string) (links, error) {
	out := links{}
	if name == "" {
		return out, nil
	}
	status, err := s.status(regions[0], name)
	for _, r := range status.Regions {
		for _, p := range r.Replicas {
			if r.Region != regions[0] {
				out[link{cmp.Or(p.Source, "other regions"), r.Region}] += p.Sent
			}
		}
	}
	return out, err
}

func (s *story) status(at, name string) (v1.VersionStatus, error) {
	var st v1.VersionStatus
	b, err := s.c.Run(s.ctx, io.Discard, at, "status", name, "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(b), &st)
	}
	return st, err
}

// publish publishes an image to all regions and notes what crossed each link.
func (s *story) publish(file, name string) (links, error) {
	before, err := s.links("")
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if _, err := s.run(regions[0], "publish", file, name, "--regions", strings.Join(regions, ",")); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := s.links(name)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	status, err := s.status(regions[0], name)
	if err != nil {
		return nil, err
	}
	s.check(status.State == "Completed", name+" in three regions", "%s after %s", status.State, took.Round(100*time.Millisecond))
	for _, k := range slices.SortedFunc(maps.Keys(after), func(a, b link) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) }) {
		after[k] -= before[k]
		s.note("  "+k.from+" -> "+k.to, "%s of %s (%.1f %%)", mb(after[k]), mb(st.Size()), 100*float64(after[k])/float64(st.Size()))
	}
	return after, nil
}

func (s *story) publishFirst() (err error) {
	s.first, err = s.publish(filepath.Join(s.images, "v1.raw"), version("1.0.0"))
	return err
}

func (s *story) publishSecond() error {
	second, err := s.publish(filepath.Join(s.images, "v2.raw"), version("2.0.0"))
	if err != nil {
		return err
	}
	for _, r := range regions[1:] {
		part := 100 * float64(second.into(r)) / float64(s.first.into(r))
		s.check(part <= 45, "rebuilt image to "+r, "%.1f %% of the bytes of the first, compressed full copy (at most 45 %%)", part)
	}
	return nil
}

func (s *story) loseHome() error {
	s.say("kill -9 of the daemon of %s (pid %d), the images' home", regions[0], s.c.Node(regions[0]).PID())
	return s.c.Node(regions[0]).Kill()
}

// goOn shows that everything but the lost region goes on.
func (s *story) goOn() error {
	began := time.Now()
	if _, err := s.run(regions[1], "gallery", "create", "after", "--description", "made while the home region is down"); err != nil {
		return err
	}
	s.check(true, "gallery created in "+regions[1], "after %s without the home region", time.Since(began).Round(10*time.Millisecond))
	if _, err := s.run(regions[1], "version", "update", version("1.0.0"), "--regions", regions[0]+","+regions[1], "--allow-removal"); err != nil {
		return err
	}
	if _, err := s.run(regions[2], "version", "update", version("1.0.0"), "--regions", strings.Join(regions[:2], ",")+","+regions[2]+"=2"); err != nil {
		return err
	}
	began = time.Now()
	ctx, cancel := context.WithTimeout(s.ctx, 5*time.Minute)
	defer cancel()
	for {
		st, err := s.status(regions[2], version("1.0.0"))
		if err != nil {
			return err
		}
		i := slices.IndexFunc(st.Regions, func(r v1.RegionStatus) bool { return r.Region == regions[2] })
		if i >= 0 && st.Regions[i].State == "Completed" {
			from := "what the region still had"
			for _, p := range st.Regions[i].Replicas {
				if p.Source != "" && p.Sent > 0 {
					from = p.Source
				}
			}
			s.check(len(st.Regions[i].Replicas) == 2, regions[2]+" dropped and added again with 2 replicas", "Completed after %s, from %s",
				time.Since(began).Round(100*time.Millisecond), from)
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s did not complete: %+v", regions[2], st)
		}
	}
}

func (s *story) pullBoth() error {
	var last string
	for _, n := range []struct{ number, file string }{{"1.0.0", "v1.raw"}, {"2.0.0", "v2.raw"}} {
		out := filepath.Join(s.dir, "pulled-"+n.file)
		args := []string{"pull", version(n.number), "-o", out}
		if last != "" {
			args = append(args, "--seed", last)
		}
		began := time.Now()
		if _, err := s.run(regions[2], args...); err != nil {
			return err
		}
		took := time.Since(began)
		want, err := sum(filepath.Join(s.images, n.file))
		if err != nil {
			return err
		}
		got, err := sum(out)
		if err != nil {
			return err
		}
		s.check(got == want, version(n.number)+" pulled in "+regions[2], "%s, SHA-256 %s..., the source's %s...", took.Round(100*time.Millisecond), got[:16], want[:16])
		last = out
	}
	return nil
}

func (s *story) memory() error {
	for _, r := range regions {
		rss, err := s.c.Node(r).PeakRSS()
		if err != nil {
			return err
		}
		s.check(rss < 400<<20, "peak memory of the daemon of "+r, "%s (below 400 MiB)", mb(rss))
	}
	cli := s.c.CommandPeakRSS()
	s.check(cli < 400<<20, "peak memory of a command", "%s (below 400 MiB)", mb(cli))
	return nil
}

func (s *story) table() {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, r := range s.rows {
		fmt.Fprintf(w, "%s\t%s\n", r[0], r[1])
	}
	w.Flush()
	fmt.Printf("\n%s in %s\n", map[bool]string{true: "all as it must be", false: "SOMETHING IS WRONG"}[len(s.failed) == 0], time.Since(s.began).Round(time.Second))
}

func mb(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// sum reads a file with another program than ours.
func sum(file string) (string, error) {
	if out, err := exec.Command("sha256sum", "--", file).Output(); err == nil && len(out) >= 64 {
		return string(out[:64]), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
