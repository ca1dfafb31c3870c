package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"loggia/api/v1"
)

// stored is the objects of a region's store, by path.
func (c *cluster) stored(t *testing.T, region string) (files map[string]int64, bytes int64) {
	t.Helper()
	files = map[string]int64{}
	err := filepath.WalkDir(filepath.Join(c.dir, "data", region, "store", "objects"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() { // it may go while we look
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil:
			files[path] = info.Size()
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, bytes
}

// packs are the paths of a region's data packs.
func (c *cluster) packs(t *testing.T, region string) (out []string) {
	t.Helper()
	files, _ := c.stored(t, region)
	for path := range files {
		if strings.Contains(path, "/1/p/") {
			out = append(out, path)
		}
	}
	return out
}

// check is what a check of a region found; code is how it ended.
func check(t *testing.T, u user, code int, args ...string) (counts map[string]int, all []v1.CheckEvent) {
	t.Helper()
	type checked struct {
		Findings []v1.CheckEvent `json:"findings"`
		Counts   map[string]int  `json:"counts"`
	}
	r := u.run(t, append([]string{"verify", "--output", "json"}, args...)...)
	if r.code != code {
		t.Fatalf("verify %v: exit %d, want %d\n%s%s", args, r.code, code, r.out, r.err)
	}
	var v checked
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Fatalf("verify %v: %v\n%s", args, err, r.out)
	}
	return v.Counts, v.Findings
}

// TestCollect deletes versions, has their bytes collected, and finds and repairs what was planted in a region's store.
func TestCollect(t *testing.T) {
	c := develop(t, "a,b", "--collection-grace", "200ms")
	dir := t.TempDir()
	s := seed(t)
	one := image(t, filepath.Join(dir, "one.raw"), 24, s)
	two := changed(t, one, filepath.Join(dir, "two.raw"), s+1)
	other := image(t, filepath.Join(dir, "other.raw"), 24, s+7)
	c.ok(t, "publish", one, "g/i/1.0.0", "--regions", "a,b")
	c.ok(t, "publish", two, "g/i/1.0.1", "--regions", "a,b")
	c.ok(t, "publish", other, "g/other/1.0.0", "--regions", "a,b")
	pull := func(t *testing.T) {
		t.Helper()
		for _, region := range []string{"a", "b"} {
			out := filepath.Join(t.TempDir(), "out")
			c.at(region).ok(t, "pull", "g/i/1.0.1", "-o", out)
			same(t, out, two)
		}
	}

	t.Run("bytes go with their versions", func(t *testing.T) {
		_, before := c.stored(t, "a")
		c.ok(t, "version", "delete", "g/i/1.0.0")
		c.ok(t, "version", "delete", "g/other/1.0.0")
		dry := read[v1.Collections](t, c.user, "operator", "collect", "--region", "a", "--dry-run")
		if _, now := c.stored(t, "a"); now != before || dry.Value[0].GarbageBytes == 0 || dry.Value[0].State != "DryRun" {
			t.Errorf("a dry run: from %d to %d bytes, %+v", before, now, dry)
		}
		for _, region := range []string{"a", "b"} { // asked at a, done in both
			_, before := c.stored(t, region)
			got := read[v1.Collections](t, c.user, "operator", "collect", "--region", region)
			_, after := c.stored(t, region)
			if len(got.Value) != 1 || got.Value[0].State != "Done" || got.Value[0].Unexplained != 0 || float64(after) > 1.3*float64(got.Value[0].Live) {
				t.Errorf("region %s: from %d to %d bytes, %+v", region, before, after, got)
			}
		}
		pull(t)
		for _, region := range []string{"a", "b"} {
			if counts, all := check(t, c.user, 0, "--region", region); len(counts) > 0 {
				t.Errorf("region %s: %+v", region, all)
			}
		}
	})

	t.Run("a new region copies what is left, and a new version builds on it", func(t *testing.T) {
		c.ok(t, "publish", one, "g/i/1.0.2", "--regions", "a,b")
		out := filepath.Join(t.TempDir(), "out")
		c.at("b").ok(t, "pull", "g/i/1.0.2", "-o", out)
		same(t, out, one)
	})

	t.Run("what is planted is found and repaired", func(t *testing.T) {
		packs := c.packs(t, "b")
		if err := os.Remove(packs[0]); err != nil {
			t.Fatal(err)
		}
		edit(t, packs[1], 100, []byte("damage"))
		stray := filepath.Join(filepath.Dir(packs[1]), strings.Repeat("ab", 32))
		if err := os.WriteFile(stray, []byte("stray"), 0o600); err != nil {
			t.Fatal(err)
		}
		if counts, all := check(t, c.user, 9, "--region", "b", "--quick"); counts["lost"] != 1 || counts["orphaned"] == 0 {
			t.Errorf("a quick check finds %+v", all)
		}
		if counts, all := check(t, c.user, 9, "--region", "b", "--repair"); counts["lost"] != 1 || counts["damaged"] != 1 {
			t.Errorf("the check finds %+v", all)
		}
		c.ok(t, "wait", "g/i/1.0.1", "--through-failures")
		c.ok(t, "wait", "g/i/1.0.2", "--through-failures")
		pull(t)
		c.ok(t, "operator", "collect", "--region", "b")
		if counts, all := check(t, c.user, 0, "--region", "b"); len(counts) > 0 {
			t.Errorf("after repair and collection: %+v", all)
		}
	})

	t.Run("off means off", func(t *testing.T) {
		c.ok(t, "operator", "collect", "off")
		c.fails(t, 5, []string{"collect on"}, "operator", "collect", "--region", "a")
		c.ok(t, "operator", "collect", "on")
		c.ok(t, "operator", "collect", "--region", "a")
		c.fails(t, 3, nil, "operator", "collect", "--region", "nowhere")
		c.fails(t, 2, nil, "verify")
		c.fails(t, 3, nil, "verify", "--region", "a", "--store", "none")
	})
}

// TestCollectSurvivesKill kills the cluster while it collects; started again, it ends the work by itself.
func TestCollectSurvivesKill(t *testing.T) {
	c := develop(t, "a", "--collection-grace", "1s", "--collection-period", "2s")
	dir := t.TempDir()
	s := seed(t)
	one := image(t, filepath.Join(dir, "one.raw"), 24, s)
	two := image(t, filepath.Join(dir, "two.raw"), 24, s+1)
	c.ok(t, "publish", one, "g/i/1.0.0")
	c.ok(t, "publish", two, "g/i/1.0.1")
	_, before := c.stored(t, "a")
	c.ok(t, "version", "delete", "g/i/1.0.0")
	c.ok(t, "operator", "collect", "--region", "a", "--no-wait")
	c.proc.kill(t)
	env := filepath.Join(c.dir, "env2")
	c.proc = start(t, filepath.Join(c.dir, "log2"), "dev", "--regions", "a", "--data", filepath.Join(c.dir, "data"), "--env-file", env, "--port", "0",
		"--collection-grace", "1s", "--collection-period", "2s")
	eventually(t, "the cluster to be back", func() error { return c.source(env) })
	eventually(t, "the bytes to go", func() error {
		if _, now := c.stored(t, "a"); now > before*6/10 {
			said := c.run(t, "operator", "collect", "status", "--output", "json")
			return fmt.Errorf("%d of %d bytes: %s%s", now, before, said.out, said.err)
		}
		return nil
	})
	out := filepath.Join(dir, "out")
	c.ok(t, "pull", "g/i/1.0.1", "-o", out)
	same(t, out, two)
	check(t, c.user, 0, "--region", "a")
}

// TestCollectBesidePublishes publishes, replicates, deletes and collects at the same time, with hardly a grace time: no version that is left
// lacks a byte (D2).
func TestCollectBesidePublishes(t *testing.T) {
	c := develop(t, "a,b", "--collection-grace", "50ms")
	dir := t.TempDir()
	s := seed(t)
	const versions, keep = 10, 3
	name := func(n int) string { return fmt.Sprintf("g/i/1.0.%d", n) }
	file := func(n int) string { return filepath.Join(dir, fmt.Sprintf("%d.raw", n)) }
	image(t, file(0), 16, s)
	for n := 1; n < versions; n++ {
		changed(t, file(n-1), file(n), s+uint64(n))
	}
	stop := make(chan struct{})
	var collecting sync.WaitGroup
	for _, region := range []string{"a", "b"} {
		collecting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if r := c.run(t, "operator", "collect", "--region", region); r.code != 0 {
					t.Errorf("%s: exit %d: %s%s", r.name(), r.code, r.out, r.err)
					return
				}
			}
		})
	}
	for n := range versions {
		// Every third one is what was deleted a moment ago: its chunks are in the index, and condemned.
		f := file(n)
		if n%3 == 2 && n >= keep {
			f = file(n - keep)
		}
		c.ok(t, "publish", f, name(n), "--regions", "a,b")
		if n >= keep {
			c.ok(t, "version", "delete", name(n-keep))
		}
	}
	close(stop)
	collecting.Wait()
	for n := versions - keep; n < versions; n++ {
		f := file(n)
		if n%3 == 2 {
			f = file(n - keep)
		}
		for _, region := range []string{"a", "b"} {
			out := filepath.Join(t.TempDir(), "out")
			c.at(region).ok(t, "pull", name(n), "-o", out)
			same(t, out, f)
		}
	}
	for _, region := range []string{"a", "b"} {
		c.ok(t, "operator", "collect", "--region", region)
		if counts, all := check(t, c.user, 0, "--region", region); len(counts) > 0 {
			t.Errorf("region %s: %+v", region, all)
		}
	}
}

// TestRegionsCheckThemselves plants what a disk does to a store, and waits until the region has found it and made the copy whole again, unasked
// (D9). What is the only copy is told of, and left (D11).
func TestRegionsCheckThemselves(t *testing.T) {
	c := develop(t, "a,b", "--checks-period", "1s", "--checks-quick", "1s")
	dir := t.TempDir()
	s := seed(t)
	one := image(t, filepath.Join(dir, "one.raw"), 24, s)
	alone := image(t, filepath.Join(dir, "alone.raw"), 24, s+1)
	c.ok(t, "publish", one, "g/i/1.0.0", "--regions", "a,b")
	region := func(name string) *v1.RegionCheck {
		for _, r := range read[v1.Status](t, c.user, "status").Regions {
			if r.Name == name && r.Check != nil {
				return r.Check
			}
		}
		return &v1.RegionCheck{}
	}
	eventually(t, "a first round", func() error {
		if x := region("b"); x.Rounds == 0 || x.Bad() > 0 {
			return fmt.Errorf("%+v", x)
		}
		return nil
	})
	packs := c.packs(t, "b")
	edit(t, packs[0], 100, []byte("damage"))
	if err := os.Remove(packs[1]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the region to repair itself", func() error {
		if x := region("b"); x.Repairs == 0 || x.Bad() > 0 || x.LastBad.IsZero() {
			return fmt.Errorf("%+v", x)
		}
		return nil
	})
	c.ok(t, "wait", "g/i/1.0.0", "--through-failures")
	out := filepath.Join(dir, "out")
	c.at("b").ok(t, "pull", "g/i/1.0.0", "-o", out)
	same(t, out, one)

	had := map[string]bool{}
	for _, p := range c.packs(t, "b") {
		had[p] = true
	}
	c.at("b").ok(t, "publish", alone, "g/alone/1.0.0", "--regions", "b")
	for _, p := range c.packs(t, "b") {
		if !had[p] {
			edit(t, p, 100, []byte("damage"))
			break
		}
	}
	eventually(t, "the only copy to be told of", func() error {
		if x := region("b"); x.Damaged != 1 || !strings.Contains(x.Message, "no other whole one") {
			return fmt.Errorf("%+v", x)
		}
		return nil
	})
	if st := read[v1.VersionStatus](t, c.user, "status", "g/alone/1.0.0"); st.State != "Completed" {
		t.Errorf("the only copy is %s", st.State)
	}
	if text := c.ok(t, "status"); !strings.Contains(text, "1 damaged") {
		t.Errorf("status says\n%s", text)
	}
}
