package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFormats publishes one disk in every format and wrapper, each time as the same content, and pulls it
// as every format.
func TestFormats(t *testing.T) {
	c := develop(t, "a")
	dir := t.TempDir()
	raw := image(t, filepath.Join(dir, "disk.raw"), 12, seed(t))
	c.ok(t, "publish", raw, "g/i/1.0.0")

	t.Run("in", func(t *testing.T) {
		var in []string
		for _, options := range []string{"qcow2 -c", "vpc -o force_size=on", "vhdx", "vmdk", "vmdk -o subformat=streamOptimized"} {
			f := strings.Fields(options)
			in = append(in, convert(t, raw, f[0], filepath.Join(dir, strings.Join(f, "")), f[1:]...))
		}
		for _, tool := range []string{"xz -1", "gzip -1", "zstd"} {
			for _, from := range []string{raw, filepath.Join(dir, "vmdk")} {
				in = append(in, wrap(t, from, tool))
			}
		}
		for i, path := range in {
			if out := c.ok(t, "verify", path, "g/i/1.0.0"); !strings.Contains(out, "equal") {
				t.Errorf("%s: %s", path, out)
			}
			if i%4 == 0 { // the way is the same for all
				c.ok(t, "upload", path, "--name", fmt.Sprint("snap", i))
			}
		}
		c.ok(t, "publish", wrap(t, filepath.Join(dir, "vhdx"), "xz -1"), "g/i/2.0.0")
		c.ok(t, "pull", "g/i/2.0.0", "-o", filepath.Join(dir, "back.raw"))
		same(t, filepath.Join(dir, "back.raw"), raw)
	})

	t.Run("out", func(t *testing.T) {
		for _, out := range []struct{ flags, format string }{
			{"--format raw", "raw"}, {"--format qcow2", "qcow2"}, {"--format qcow2 --compress", "qcow2"}, {"--format vhd", "vpc"}, {"--format vhd-dynamic", "vpc"},
		} {
			path := filepath.Join(dir, "out")
			for range 2 { // the second time over the first
				c.ok(t, append([]string{"pull", "g/i/1.0.0", "-o", path}, strings.Fields(out.flags)...)...)
				got, err := exec.Command("qemu-img", "compare", "-f", "raw", "-F", out.format, raw, path).CombinedOutput()
				if err != nil || bytes.Contains(got, []byte("mismatch")) {
					t.Errorf("%s: %v\n%s", out.flags, err, got)
				}
			}
			c.ok(t, "verify", path, "g/i/1.0.0")
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})

	t.Run("refused", func(t *testing.T) {
		cut := wrap(t, raw, "gzip -1")
		if err := os.Truncate(cut, 100_000); err != nil {
			t.Fatal(err)
		}
		c.fails(t, 2, []string{"unpack gzip: compressed data is cut off"}, "publish", cut, "g/i/3.0.0")
		flat := convert(t, raw, "vmdk", filepath.Join(dir, "flat.vmdk"), "-o", "subformat=monolithicFlat")
		c.fails(t, 2, []string{"vmdk descriptor: createType \"monolithicFlat\""}, "publish", flat, "g/i/3.0.0")
	})
}

// wrap compresses a file with a tool, under a name that says nothing.
func wrap(t *testing.T, from, tool string) string {
	t.Helper()
	args := strings.Fields(tool)
	out, err := exec.Command(args[0], append(args[1:], "-c", from)...).Output()
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	path := from + "-" + args[0]
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
