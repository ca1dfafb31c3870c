package diskformat

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestQemuImgRefused: what qemu-img writes and no plain disk is refused by its kind.
func TestQemuImgRefused(t *testing.T) {
	dir := t.TempDir()
	base, image := filepath.Join(dir, "base"), filepath.Join(dir, "image")
	vmdk := filepath.Join(dir, "base.vmdk")
	qemuImg(t, "create", "-f", "qcow2", base, "1M")
	qemuImg(t, "create", "-f", "vmdk", vmdk, "1M")
	for _, test := range []struct {
		name string
		args []string
		want error
	}{
		{"backing file", []string{"create", "-f", "qcow2", "-b", base, "-F", "qcow2", image}, ErrExternal},
		{"data file", []string{"create", "-f", "qcow2", "-o", "data_file=" + image + ".data", image, "1M"}, ErrExternal},
		{"raw data file", []string{"create", "-f", "qcow2", "-o", "data_file=" + image + ".data,data_file_raw=on", image, "1M"}, ErrExternal},
		{"luks", []string{"create", "-f", "qcow2", "--object", "secret,id=s,data=secret",
			"-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=200", image, "1M"}, ErrEncrypted},
		{"vmdk of two files", []string{"create", "-f", "vmdk", "-o", "subformat=monolithicFlat", image, "1M"}, ErrExternal},
		{"split vmdk", []string{"create", "-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", image, "1M"}, ErrExternal},
		{"split flat vmdk", []string{"create", "-f", "vmdk", "-o", "subformat=twoGbMaxExtentFlat", image, "1M"}, ErrExternal},
		{"vmdk with a parent", []string{"create", "-f", "vmdk", "-b", vmdk, "-F", "vmdk", image}, ErrExternal},
		{"vdi", []string{"create", "-f", "vdi", image, "1M"}, ErrFormat},
		{"qed", []string{"create", "-f", "qed", image, "1M"}, ErrFormat},
		{"parallels", []string{"create", "-f", "parallels", image, "1M"}, ErrFormat},
	} {
		t.Run(test.name, func(t *testing.T) {
			makeImage(t, test.args)
			for _, declared := range []Format{Auto, Raw} {
				want := test.want
				if declared == Raw {
					want = ErrFormat
				}
				if _, err := Open(image, Options{Format: declared}); !errors.Is(err, want) {
					t.Errorf("declared %q: got %v, want %v", declared, err, want)
				}
			}
		})
	}
	qemuImg(t, "snapshot", "-c", "one", base)
	if _, err := Open(base, Options{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("snapshot: got %v, want %v", err, ErrUnsupported)
	}
	qemuImg(t, "snapshot", "-d", "one", base)
	if d, err := Open(base, Options{}); err != nil {
		t.Errorf("deleted snapshot: %v", err)
	} else {
		d.Close()
	}
}

// makeImage runs qemu-img until it succeeds, a few times: for LUKS it measures its own CPU time, and gives
// up where the kernel's clock did not move meanwhile ("Unable to get accurate CPU usage").
func makeImage(t *testing.T, args []string) {
	t.Helper()
	var out []byte
	var err error
	for range 50 {
		if out, err = exec.Command("qemu-img", args...).CombinedOutput(); err == nil {
			return
		}
	}
	t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
}

// TestCutImages: an image that lost its end is refused, or holds all that the guest sees. It never
// gives other bytes.
func TestCutImages(t *testing.T) {
	dir, rnd := t.TempDir(), seeded(t)
	raw, image := filepath.Join(dir, "disk.raw"), filepath.Join(dir, "image")
	want := writeRaw(t, rnd, raw, 4<<20)
	for _, args := range []string{"-O qcow2", "-O qcow2 -c", "-O qcow2 -o extended_l2=on", "-O vpc -o force_size=on", "-O vpc -o subformat=fixed,force_size=on", "-O vhdx -o block_size=1M", "-O vmdk", "-O vmdk -o subformat=streamOptimized"} {
		qemuImg(t, append(append([]string{"convert", "-f", "raw"}, strings.Fields(args)...), raw, image)...)
		whole, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		format := map[string]Format{"qcow2": QCOW2, "vpc": VHD, "vhdx": VHDX, "vmdk": VMDK}[strings.Fields(args)[1]]
		for range 100 {
			n := 1 + rnd.IntN(len(whole)-1)
			d, err := New(bytes.NewReader(whole[:n]), Options{Format: format})
			if err != nil {
				continue
			}
			got := make([]byte, d.Size())
			if _, err := d.ReadAt(got, 0); err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%s, %d of %d bytes: other bytes and no error", args, n, len(whole))
			}
		}
	}
}
