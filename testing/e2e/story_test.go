package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"loggia/api/v1"
)

// TestStory publishes every format, replicates, pulls anywhere and deletes, on one development cluster.
func TestStory(t *testing.T) {
	c := develop(t, "a,b,c")
	dir := t.TempDir()
	s := seed(t)
	one := image(t, filepath.Join(dir, "one.raw"), 24, s)
	two := changed(t, one, filepath.Join(dir, "two.raw"), s+1)
	data := image(t, filepath.Join(dir, "data.raw"), 8, s+2)

	t.Run("publish raw with a data disk", func(t *testing.T) {
		c.ok(t, "publish", one, "g/i/1.0.0", "--regions", "a,b=2,c", "--data-disk", "3="+data, "--sha256")
		v := read[v1.Version](t, c.user, "version", "show", "g/i/1.0.0")
		if v.State != "Completed" || v.Location != "a" || len(v.Disks) != 2 {
			t.Errorf("version is %+v", v)
		}
		if v.Disks[0].LUN != -1 || v.Disks[0].SHA256 != flat(t, one) || v.Disks[1].LUN != 3 || v.Disks[1].SHA256 != flat(t, data) {
			t.Errorf("disks are %+v", v.Disks)
		}
		st := read[v1.VersionStatus](t, c.user, "status", "g/i/1.0.0")
		if diff := cmp.Diff(map[string]string{"a": "Completed", "b": "Completed", "c": "Completed"}, states(st)); diff != "" {
			t.Error(diff)
		}
		for _, r := range st.Regions {
			want := 2
			if r.Region == "b" {
				want = 4 // two disks, two copies each
			}
			if len(r.Replicas) != want || r.Progress != 100 {
				t.Errorf("region %s has %d replicas and %d %%, want %d and 100", r.Region, len(r.Replicas), r.Progress, want)
			}
			for _, p := range r.Replicas {
				if p.Left != 0 || p.State != "Completed" || p.Store == "" {
					t.Errorf("region %s: %+v", r.Region, p)
				}
			}
		}
	})

	t.Run("pull from another region", func(t *testing.T) {
		for _, region := range []string{"b", "c"} {
			out := filepath.Join(dir, "out-"+region)
			c.at(region).ok(t, "pull", "g/i/1.0.0", "-o", out)
			same(t, out, one)
			c.at(region).ok(t, "pull", "g/i/1.0.0", "--disk", "3", "-o", out+"-data")
			same(t, out+"-data", data)
		}
		c.fails(t, 3, []string{"has no disk 5"}, "pull", "g/i/1.0.0", "--disk", "5", "-o", filepath.Join(dir, "none"))
	})

	t.Run("a delta crosses", func(t *testing.T) {
		c.ok(t, "publish", two, "g/i/1.0.1", "--regions", "a,b,c")
		st := read[v1.VersionStatus](t, c.user, "status", "g/i/1.0.1")
		for _, r := range st.Regions {
			for _, p := range r.Replicas {
				if r.Region != "a" && p.Sent > 4*mib {
					t.Errorf("region %s was sent %d bytes for a change of 1 MiB", r.Region, p.Sent)
				}
			}
		}
		r := c.at("c").run(t, "pull", "g/i/1.0.1", "--seed", one, "-o", filepath.Join(dir, "seeded"))
		if r.code != 0 || strings.Contains(r.err, " 0 B at hand") || !strings.Contains(r.err, "at hand") {
			t.Errorf("pull with a seed: exit %d: %s", r.code, r.err)
		}
		same(t, filepath.Join(dir, "seeded"), two)
	})

	t.Run("qcow2 and VHD are the same disk", func(t *testing.T) {
		want := read[v1.Version](t, c.user, "version", "show", "g/i/1.0.0").Disks[0].Root
		for n, f := range []struct {
			format  string
			options []string
		}{
			{"qcow2", nil},
			{"qcow2", []string{"-c"}},
			{"qcow2", []string{"-c", "-o", "compression_type=zstd"}},
			{"qcow2", []string{"-o", "compat=0.10"}},
			{"vpc", []string{"-o", "subformat=fixed,force_size=on"}},
			{"vpc", []string{"-o", "subformat=dynamic,force_size=on"}},
		} {
			file := convert(t, one, f.format, filepath.Join(dir, "converted"), f.options...)
			name := "g/formats/1.0." + string(rune('0'+n))
			r := c.run(t, "publish", file, name, "--base", "g/i/1.0.0")
			if r.code != 0 {
				t.Fatalf("%v: exit %d: %s", f, r.code, r.err)
			}
			if got := read[v1.Version](t, c.user, "version", "show", name).Disks[0]; got.Root != want || got.Size != 24*mib {
				t.Errorf("%v: root %s, size %d; want %s, %d", f, got.Root, got.Size, want, 24*mib)
			}
		}
	})

	t.Run("verify", func(t *testing.T) {
		root := read[v1.Version](t, c.user, "version", "show", "g/i/1.0.0").Disks[0].Root
		if got := c.ok(t, "verify", one); !strings.Contains(got, root) {
			t.Errorf("verify prints %q, want the root %s", got, root)
		}
		c.ok(t, "verify", one, "g/i/1.0.0")
		c.ok(t, "verify", data, "g/i/1.0.0", "--disk", "3")
		c.ok(t, "verify", convert(t, one, "qcow2", filepath.Join(dir, "v.qcow2")), "g/i/1.0.0")
		c.fails(t, 9, []string{"is not that of g/i/1.0.0"}, "verify", two, "g/i/1.0.0")
	})

	t.Run("wait", func(t *testing.T) {
		for _, goal := range []string{"local", "1", "2", "all"} {
			c.ok(t, "wait", "g/i/1.0.0", "--for", goal)
		}
		c.fails(t, 2, []string{"--for"}, "wait", "g/i/1.0.0", "--for", "most")
		c.fails(t, 3, nil, "wait", "g/i/9.9.9")
	})

	t.Run("latest", func(t *testing.T) { latest(t, c, one) })
	t.Run("update target regions", func(t *testing.T) { retarget(t, c, one) })
	t.Run("delete", func(t *testing.T) { erase(t, c, one) })
}

// latest holds the regional flag against the global one.
func latest(t *testing.T, c *cluster, file string) {
	publish := func(name string, more ...string) {
		c.ok(t, append([]string{"publish", file, name, "--regions", "a,b", "--base", "g/i/1.0.0"}, more...)...)
	}
	is := func(region, want string) {
		t.Helper()
		for _, u := range []struct {
			user
			args []string
		}{{c.at(region), nil}, {c.user, []string{"--region", region}}} {
			if v := read[v1.Version](t, u.user, append([]string{"version", "show", "g/latest/latest"}, u.args...)...); v.Name != want {
				t.Errorf("latest in %s is %s, want %s", region, v.Name, want)
			}
		}
	}
	publish("g/latest/1.9.0")
	publish("g/latest/1.10.0") // numeric order
	publish("g/latest/2.0.0", "--exclude-from-latest")
	is("a", "1.10.0")
	is("b", "1.10.0")
	c.ok(t, "version", "update", "g/latest/2.0.0", "--exclude-from-latest=false")
	is("b", "2.0.0")
	regional(t, c, "g", "latest", "2.0.0")
	is("a", "2.0.0")
	is("b", "1.10.0")
	out := filepath.Join(t.TempDir(), "out")
	c.at("b").ok(t, "pull", "g/latest/latest", "-o", out)
	same(t, out, file)
	c.at("c").fails(t, 3, []string{"latest"}, "version", "show", "g/latest/latest")
}

// retarget changes where a version is wanted.
func retarget(t *testing.T, c *cluster, file string) {
	c.ok(t, "publish", file, "g/moves/1.0.0", "--regions", "a", "--base", "g/i/1.0.0")
	c.fails(t, 2, []string{"3 regions", "wanted in 2"}, "version", "update", "g/moves/1.0.0", "--regions", "a,c=2", "--wait", "3")
	c.fails(t, 2, []string{"--wait", "soon"}, "version", "update", "g/moves/1.0.0", "--regions", "a,c=2", "--wait", "soon")
	c.ok(t, "version", "update", "g/moves/1.0.0", "--regions", "a,c=2", "--wait", "all")
	st := read[v1.VersionStatus](t, c.user, "status", "g/moves/1.0.0")
	if diff := cmp.Diff(map[string]string{"a": "Completed", "c": "Completed"}, states(st)); diff != "" {
		t.Error(diff)
	}
	before := read[v1.Version](t, c.user, "version", "show", "g/moves/1.0.0")
	c.fails(t, 5, []string{"allowDeletionOfReplicatedLocations"}, "version", "update", "g/moves/1.0.0", "--regions", "a")
	if diff := cmp.Diff(before, read[v1.Version](t, c.user, "version", "show", "g/moves/1.0.0")); diff != "" {
		t.Errorf("the refused update changed the version: %s", diff)
	}
	c.fails(t, 2, []string{"targetRegions", "location"}, "version", "update", "g/moves/1.0.0", "--regions", "c", "--allow-removal")
	c.ok(t, "version", "update", "g/moves/1.0.0", "--regions", "a,b", "--allow-removal", "--if-match", before.ETag)
	c.fails(t, 5, []string{"etag"}, "version", "update", "g/moves/1.0.0", "--regions", "a,c", "--if-match", before.ETag)
	c.ok(t, "wait", "g/moves/1.0.0")
	st = read[v1.VersionStatus](t, c.user, "status", "g/moves/1.0.0")
	if diff := cmp.Diff(map[string]string{"a": "Completed", "b": "Completed"}, states(st)); diff != "" {
		t.Error(diff)
	}
	out := filepath.Join(t.TempDir(), "out")
	c.at("c").fails(t, 3, []string{"region c has no whole copy"}, "pull", "g/moves/1.0.0", "-o", out)
	c.at("b").ok(t, "pull", "g/moves/1.0.0", "-o", out)
	same(t, out, file)
}

// erase deletes from the leaves up and sees every region forget at once.
func erase(t *testing.T, c *cluster, file string) {
	c.ok(t, "publish", file, "gone/i/1.0.0", "--regions", "a,b,c", "--base", "g/i/1.0.0")
	c.fails(t, 5, []string{"version"}, "image", "delete", "gone/i")
	c.fails(t, 5, []string{"image"}, "gallery", "delete", "gone")
	c.at("b").ok(t, "version", "delete", "gone/i/1.0.0")
	for _, region := range []string{"b", "a", "c"} {
		c.at(region).fails(t, 3, nil, "version", "show", "gone/i/1.0.0")
		c.at(region).fails(t, 3, nil, "pull", "gone/i/1.0.0", "-o", filepath.Join(t.TempDir(), "out"))
		c.at(region).fails(t, 3, nil, "status", "gone/i/1.0.0")
	}
	c.fails(t, 3, nil, "version", "delete", "gone/i/1.0.0")
	c.ok(t, "image", "delete", "gone/i")
	c.ok(t, "gallery", "delete", "gone")
	c.fails(t, 3, nil, "gallery", "show", "gone")
	// The chunks are shared with a version that lives on.
	out := filepath.Join(t.TempDir(), "out")
	c.at("c").ok(t, "pull", "g/i/1.0.0", "-o", out)
	same(t, out, file)
}
