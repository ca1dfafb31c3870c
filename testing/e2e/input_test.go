package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"loggia/api/v1"
)

// TestInput gives the command line what breaks a rule: one error that names it, exit 2, nothing changed.
func TestInput(t *testing.T) {
	c := develop(t, "a,b")
	dir := t.TempDir()
	good := image(t, filepath.Join(dir, "good.raw"), 4, seed(t))
	c.ok(t, "publish", good, "g/i/1.0.0")
	before := inventory(t, c)

	t.Run("arguments", func(t *testing.T) {
		for _, bad := range []struct{ args, says string }{
			{"nonsense", "unknown command"},
			{"gallery nonsense", "unknown command"},
			{"operator raft nonsense", "unknown command"},
			{"members nonsense", "unknown command"},
			{"gallery create", "accepts 1 arg"},
			{"gallery create x --nonsense", "unknown flag"},
			{"gallery list -o xml", "--output"},
			{"gallery create new -o xml", "--output"},
			{"publish FILE new/i/2.0.0 -o xml", "--output"},
			{"publish FILE g/i", "GALLERY/IMAGE/VERSION"},
			{"publish FILE g//1.0.0", "no part empty"},
			{"publish FILE new/i/1.0", "version"},
			{"publish FILE new/i/1.0.x", "version"},
			{"publish FILE new/i/01.0.0", "version"},
			{"publish FILE new/i/1.0.4294967296", "version"},
			{"publish FILE new/i/-1.0.0", "version"},
			{"publish FILE new/i/latest", "version"},
			{"publish FILE _g/i/2.0.0", "name: 1 to 80"},
			{"publish FILE g-h/i/2.0.0", "name: 1 to 80"},
			{"publish FILE new/i_/2.0.0", "name: 1 to 80"},
			{"publish FILE " + strings.Repeat("g", 81) + "/i/2.0.0", "name: 1 to 80"},
			{"publish FILE new/i/2.0.0 --regions a=0", "replica count"},
			{"publish FILE new/i/2.0.0 --regions a=101", "replica count"},
			{"publish FILE new/i/2.0.0 --regions a=many", "replica count"},
			{"publish FILE new/i/2.0.0 --regions a=1=Tape", "storageAccountType"},
			{"publish FILE new/i/2.0.0 --regions a,a", "region"},
			{"publish FILE new/i/2.0.0 --regions a,nowhere", "nowhere"},
			{"publish FILE new/i/2.0.0 --regions b", "location"},
			{"publish FILE new/i/2.0.0 --location nowhere", "nowhere"},
			{"publish FILE new/i/2.0.0 --wait forever", "--wait"},
			{"publish FILE new/i/2.0.0 --wait 3 --regions a,b", "wanted in 2"},
			{"publish FILE new/i/2.0.0 --data-disk FILE", "--data-disk"},
			{"publish FILE new/i/2.0.0 --data-disk 64=FILE", "LUN 0 to 63"},
			{"publish FILE new/i/2.0.0 --data-disk 1=FILE --data-disk 1=FILE", "LUN"},
			{"publish FILE new/i/2.0.0 --base g/i", "gallery/image"},
			{"publish FILE new/i/2.0.0 --tag novalue", "--tag"},
			{"publish FILE new/i/2.0.0 --tag a=" + strings.Repeat("v", 257), "tags"},
			{"publish FILE new/i/2.0.0 --format vmdk", "format"},
			{"image create g/x --os-type BeOS", "osType"},
			{"image create g/x --os-state Asleep", "osState"},
			{"image create g/x --generation V3", "hyperVGeneration"},
			{"image create g/x --architecture z80", "architecture"},
			{"version update g/i/1.0.0 --end-of-life soon", "--end-of-life"},
			{"pull g/i/1.0.0", "--output"},
			{"pull g/i/1.0.0 -o " + dir, "no regular file"},
			{"wait g/i/1.0.0 --for 2", "wanted in 1"},
			{"pull g/i/1.0.0 -o x --format vdi", "--format \"vdi\": must be raw, qcow2, vhd or vhd-dynamic"},
			{"pull g/i/1.0.0 -o x --compress", "--compress: must go with --format qcow2, not with raw"},
			{"pull g/i/1.0.0 -o x --compress --format vhd", "--compress: must go with --format qcow2"},
			{"pull g/i/1.0.0 -o /dev/null --format qcow2", "--format qcow2: must be raw for the device /dev/null"},
			{"token create x --ttl soon", "ttl"},
			{"members join-token --region -", "region"},
			{"dev --regions 0", "--regions"},
			{"dev --regions 10", "--regions"},
		} {
			args := strings.Fields(strings.ReplaceAll(bad.args, "FILE", good))
			c.fails(t, 2, []string{bad.says}, args...)
		}
	})

	t.Run("unchangeable", func(t *testing.T) {
		c.fails(t, 5, []string{"osType"}, "image", "create", "g/i", "--os-type", "Windows")
		c.fails(t, 5, []string{"exists already"}, "publish", good, "g/i/1.0.0")
		c.fails(t, 5, nil, "gallery", "create", "g", "--only-new")
	})

	t.Run("files", func(t *testing.T) { files(t, c, dir, good) })
	t.Run("unusual and right", func(t *testing.T) { unusual(t, c, dir, good) })
	t.Run("a source that changes", func(t *testing.T) { changing(t, c, dir) })

	t.Run("nothing changed", func(t *testing.T) {
		if after := inventory(t, c); after != before {
			t.Errorf("there was %s and is %s", before, after)
		}
		c.ok(t, "verify", good, "g/i/1.0.0")
	})
}

// inventory lists all galleries, definitions and versions with their etags.
func inventory(t *testing.T, c *cluster) string {
	t.Helper()
	var all []string
	for _, g := range read[[]v1.Gallery](t, c.user, "gallery", "list") {
		all = append(all, g.Name+"@"+g.ETag)
		for _, i := range read[[]v1.Image](t, c.user, "image", "list", g.Name) {
			all = append(all, i.Gallery+"/"+i.Name+"@"+i.ETag)
			for _, v := range read[[]v1.Version](t, c.user, "version", "list", g.Name+"/"+i.Name) {
				all = append(all, fmt.Sprintf("%s/%s/%s@%s", v.Gallery, v.Image, v.Name, v.ETag))
			}
		}
	}
	return strings.Join(all, " ")
}

// files publishes what is no sound disk image.
func files(t *testing.T, c *cluster, dir, good string) {
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	qcow2 := convert(t, good, "qcow2", filepath.Join(dir, "good.qcow2"))
	lying := func(name string, at int64, b []byte) string {
		path := duplicate(t, qcow2, filepath.Join(dir, name))
		edit(t, path, at, b)
		return path
	}
	cut := func(name, from string, size int64) string {
		path := duplicate(t, from, filepath.Join(dir, name))
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	vhd := convert(t, good, "vpc", filepath.Join(dir, "good.vhd"), "-o", "subformat=dynamic,force_size=on")
	fixed := convert(t, good, "vpc", filepath.Join(dir, "fixed.vhd"), "-o", "subformat=fixed,force_size=on")
	footer := duplicate(t, fixed, filepath.Join(dir, "footer.vhd"))
	st, err := os.Stat(footer)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, footer, st.Size()-512+48, binary.BigEndian.AppendUint64(nil, 1<<40))
	backed := filepath.Join(dir, "backed.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-f", "qcow2", "-F", "raw", "-b", good, backed).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v\n%s", err, out)
	}
	for _, bad := range []struct {
		path, says string
		more       []string
	}{
		{dir, "not a regular file", nil},
		{file("empty", nil), "empty", nil},
		{file("odd", make([]byte, 1000)), "multiple of 512", nil},
		{cut("cut.qcow2", qcow2, 300<<10), "truncated", nil},
		{cut("head.qcow2", qcow2, 50), "", nil},
		{cut("cut.vhd", vhd, 2*mib), "", nil},
		{cut("cut-fixed.vhd", fixed, 2*mib+512), "", []string{"--format", "vhd"}},
		{footer, "", []string{"--format", "vhd"}},
		{lying("cluster bits", 20, []byte{0, 0, 0, 60}), "", nil},
		{lying("size", 24, []byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0}), "", nil},
		{lying("table size", 36, []byte{0xff, 0xff, 0xff, 0xff}), "", nil},
		{lying("table place", 40, []byte{0, 0, 0x7f, 0, 0, 0, 0, 0}), "", nil},
		{lying("version", 4, []byte{0, 0, 0, 9}), "version", nil},
		{lying("features", 72, []byte{0, 0, 0, 0, 0, 0, 1, 0}), "unsupported", nil},
		{backed, "another file", nil},
		{lying("aes", 32, []byte{0, 0, 0, 1}), "encrypted", nil},
		{lying("luks", 32, []byte{0, 0, 0, 2}), "encrypted", nil},
		{qcow2, "format", []string{"--format", "raw"}},
		{good, "format", []string{"--format", "qcow2"}},
	} {
		r := c.run(t, append([]string{"publish", bad.path, "g/i/3.0.0"}, bad.more...)...)
		r.failed(2, bad.says, bad.path)
		if strings.Count(strings.TrimSpace(r.err), "\n") > 1 {
			t.Errorf("more than one message for %s:\n%s", bad.path, r.err)
		}
		if r := c.run(t, append([]string{"verify", bad.path}, bad.more...)...); r.code != 2 {
			t.Errorf("verify %s: exit %d, want 2: %s", bad.path, r.code, r.err)
		}
	}
	c.fails(t, 8, []string{"no such file"}, "publish", filepath.Join(dir, "none"), "g/i/3.0.0")
	c.ok(t, "publish", qcow2, "x/formats/1.0.0")
	c.ok(t, "publish", vhd, "x/formats/1.0.1")
	c.ok(t, "version", "delete", "x/formats/1.0.0")
	c.ok(t, "version", "delete", "x/formats/1.0.1")
	c.ok(t, "image", "delete", "x/formats")
	c.ok(t, "gallery", "delete", "x")
}

// unusual publishes disks that are not named in order, under the longest name there is.
func unusual(t *testing.T, c *cluster, dir, good string) {
	image := "x/" + strings.Repeat("i", 80)
	five, one := changed(t, good, filepath.Join(dir, "five"), 5), changed(t, good, filepath.Join(dir, "one"), 1)
	c.ok(t, "publish", good, image+"/1.0.0", "--data-disk", "5="+five, "--data-disk", "1="+one)
	v := read[v1.Version](t, c.user, "version", "show", image+"/1.0.0")
	if len(v.Disks) != 3 || v.Disks[0].LUN != -1 || v.Disks[1].LUN != 1 || v.Disks[2].LUN != 5 {
		t.Errorf("disks are %+v", v.Disks)
	}
	out := filepath.Join(dir, "out")
	c.ok(t, "pull", image+"/1.0.0", "--disk", "5", "-o", out)
	same(t, out, five)
	c.ok(t, "version", "delete", image+"/1.0.0")
	c.ok(t, "image", "delete", image)
	c.ok(t, "gallery", "delete", "x")
}

// changing writes to an image while it is published: the version never comes to be.
func changing(t *testing.T, c *cluster, dir string) {
	path := image(t, filepath.Join(dir, "changing.raw"), 40, seed(t))
	cmd := c.command("publish", path, "g/i/4.0.0")
	log, err := os.Create(filepath.Join(dir, "changing.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	// The file is written to until the command ends: whenever it was opened, it changes after.
	for n := byte(0); ; n++ {
		edit(t, path, 20*mib, []byte{n})
		select {
		case err = <-done:
		default:
			continue
		}
		break
	}
	var exit *exec.ExitError
	b, _ := os.ReadFile(log.Name())
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(b), "changed while it was read") {
		t.Errorf("publish of a file that changes: %v\n%s", err, b)
	}
	c.fails(t, 3, nil, "version", "show", "g/i/4.0.0")
}
