package pull

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"loggia/diskformat"
	"loggia/transfer/chunk"
	"loggia/transfer/serve/servetest"
)

// newLayoutRig is a disk of spans as publishers make them.
func newLayoutRig(t *testing.T, size int) *rig {
	t.Helper()
	g := &rig{t: t, g: servetest.New(t, servetest.Memory()), disk: servetest.NewDisk(servetest.Random(t), size), out: filepath.Join(t.TempDir(), "disk")}
	g.d = g.g.Publish(g.disk, chunk.DefaultParams())
	return g
}

func (g *rig) layout(o diskformat.Output) Options {
	opts := g.options()
	opts.Layout = func(size int64) (diskformat.Layout, error) {
		return diskformat.NewLayout(o, size, [16]byte(g.d.Root[:16]), time.Unix(1_800_000_000, 0))
	}
	return opts
}

// checkImage reads the output as an image.
func (g *rig) checkImage(format diskformat.Format) {
	g.t.Helper()
	dec := g.g.Decoder
	d, err := diskformat.Open(g.out, diskformat.Options{Format: format, Zstd: dec})
	if err != nil {
		g.t.Fatal(err)
	}
	defer d.Close()
	got := make([]byte, d.Size())
	if _, err := d.ReadAt(got, 0); err != nil && err != io.EOF || !bytes.Equal(got, g.disk) {
		g.t.Fatalf("%d bytes of another disk; %v", len(got), err)
	}
	g.unfinished(0)
}

var outputs = map[diskformat.Output]diskformat.Format{diskformat.OutputQCOW2: diskformat.QCOW2, diskformat.OutputVHD: diskformat.VHD, diskformat.OutputVHDDynamic: diskformat.VHD}

// TestLayouts pulls as each format, anew, over a seed, and after a pull that was killed and whose
// unfinished file was overwritten with junk: always the same bytes come.
func TestLayouts(t *testing.T) {
	for o, format := range outputs {
		t.Run(string(o), func(t *testing.T) {
			g := newLayoutRig(t, 66<<20+512)
			n := newNode(g.g, g.d)
			if _, err := Run(t.Context(), n, g.layout(o)); err != nil {
				t.Fatal(err)
			}
			g.checkImage(format)
			first, err := os.ReadFile(g.out)
			if err != nil {
				t.Fatal(err)
			}
			seeded := g.layout(o)
			seeded.Seed = g.disk
			if p, err := Run(t.Context(), n, seeded); err != nil || p.Fetched > 0 {
				t.Fatalf("%+v, %v", p, err)
			}
			g.checkImage(format)
			g.interrupt(n, o)
			p, err := Run(t.Context(), n, g.layout(o))
			if err != nil || p.Resumed == 0 {
				t.Fatalf("%+v, %v", p, err)
			}
			g.checkImage(format)
			second, err := os.ReadFile(g.out)
			if err != nil {
				t.Fatal(err)
			}
			if o == diskformat.OutputVHD && !bytes.Equal(first, second) { // the others have bytes that nobody reads
				t.Error("two pulls wrote other files")
			}
			if len(first) != len(second) {
				t.Errorf("files of %d and %d bytes", len(first), len(second))
			}
		})
	}
}

// interrupt pulls a part and spoils some of it.
func (g *rig) interrupt(n *node, o diskformat.Output) {
	g.t.Helper()
	broke := errors.New("killed")
	n.alter = func(i int, stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
		if i > 20 {
			return broke
		}
		return pass(stored, refs)
	}
	if _, err := Run(g.t.Context(), n, g.layout(o)); !errors.Is(err, broke) {
		g.t.Fatal(err)
	}
	n.alter = nil
	f, err := os.OpenFile(g.unfinished(1)[0], os.O_RDWR, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		g.t.Fatal(err)
	}
	junk := bytes.Repeat([]byte{0xee}, 64<<10)
	for at := int64(0); at < st.Size()+1<<20; at += 1 << 20 {
		if _, err := f.WriteAt(junk, at); err != nil {
			g.t.Fatal(err)
		}
	}
}

func TestLayoutRefused(t *testing.T) {
	g := newRig(t, 4<<20) // of spans of 1 MiB
	if _, err := Run(t.Context(), newNode(g.g, g.d), g.layout(diskformat.OutputVHDDynamic)); err == nil {
		t.Error("blocks longer than spans were taken")
	}
	if _, err := Run(t.Context(), newNode(g.g, g.d), g.layout("vdi")); !errors.Is(err, diskformat.ErrFormat) {
		t.Errorf("vdi: %v", err)
	}
	both := g.layout(diskformat.OutputQCOW2)
	both.Repack = func(context.Context, string, *os.File) error { return nil }
	if _, err := Run(t.Context(), newNode(g.g, g.d), both); !errors.Is(err, errBoth) {
		t.Errorf("both: %v", err)
	}
	g.unfinished(0)
}

// TestRepack writes the whole disk anew before it takes its name; one that fails leaves the old file and
// the unfinished one.
func TestRepack(t *testing.T) {
	g := newRig(t, 8<<20)
	if err := os.WriteFile(g.out, []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, broke := g.options(), errors.New("broken")
	o.Repack = func(context.Context, string, *os.File) error { return broke }
	if _, err := Run(t.Context(), newNode(g.g, g.d), o); !errors.Is(err, broke) {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(g.out); string(b) != "older" {
		t.Fatal("the older file was replaced")
	}
	g.unfinished(1)
	o.Progress = nil
	o.Repack = func(ctx context.Context, from string, to *os.File) error {
		if err := ctx.Err(); err != nil {
			t.Errorf("the context has ended: %v", err)
		}
		b, err := os.ReadFile(from)
		if err != nil || !bytes.Equal(b, g.disk) {
			t.Errorf("what is repacked is another disk: %v", err)
		}
		_, err = to.WriteString("packed")
		return err
	}
	n := newNode(g.g, g.d)
	if p, err := Run(t.Context(), n, o); err != nil || p.Fetched > 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	if b, _ := os.ReadFile(g.out); string(b) != "packed" {
		t.Errorf("got %q", b)
	}
	g.unfinished(0)
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(g.out), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
