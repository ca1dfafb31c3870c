package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/serve/servetest"
)

func TestPullWritesASparseFile(t *testing.T) {
	g := newRig(t, 40<<20+512)
	if err := os.WriteFile(g.out, []byte("an older disk"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := newNode(g.g, g.d)
	p, err := Run(t.Context(), n, g.options())
	if err != nil {
		t.Fatal(err)
	}
	g.check()
	if p.Done() != p.Total || p.Total != g.d.Data || p.Resumed != 0 || p.Wire != n.stored.Load() {
		t.Errorf("%+v for a disk of %d bytes data, %d sent", p, g.d.Data, n.stored.Load())
	}
	st, err := os.Stat(g.out)
	if err != nil {
		t.Fatal(err)
	}
	if used := st.Sys().(*syscall.Stat_t).Blocks * 512; used > g.d.Data+g.d.Data/16+1<<20 {
		t.Errorf("the file uses %d bytes for %d of data", used, g.d.Data)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, that of the file replaced was 0600", st.Mode())
	}
}

func TestPullThroughALink(t *testing.T) {
	g := newRig(t, 4<<20)
	real := g.out
	g.out = filepath.Join(filepath.Dir(real), "link")
	if err := errors.Join(os.WriteFile(real, nil, 0o644), os.Symlink(real, g.out)); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), newNode(g.g, g.d), g.options()); err != nil {
		t.Fatal(err)
	}
	g.check()
	g.out = real
	g.check()
}

func TestSeed(t *testing.T) {
	both := newGenerations(t)
	for name, seed := range map[string]servetest.Disk{"older": both.old, "same": both.disk, "shorter": both.old[:10<<20+77], "other": make(servetest.Disk, 1<<20)} {
		t.Run(name, func(t *testing.T) {
			g := both.to(t, both.v2, both.disk)
			o := g.options()
			o.Seed = seed
			p, err := Run(t.Context(), newNode(g.g, g.d), o)
			if err != nil {
				t.Fatal(err)
			}
			g.check()
			if p.Done() != p.Total {
				t.Errorf("%+v", p)
			}
			if name == "older" && p.Wire > both.v2.New+both.v2.New/4+1<<20 || name == "same" && p.Wire > 0 {
				t.Errorf("%d bytes fetched, %d are new", p.Wire, both.v2.New)
			}
		})
	}
}

// changing is a seed that is written to while it is read.
type changing struct {
	servetest.Disk
	r func(b []byte)
}

func (c changing) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.Disk.ReadAt(b, off)
	c.r(b[:n])
	return n, err
}

func TestSeedThatChangesMeanwhile(t *testing.T) {
	g := newRig(t, 16<<20)
	o := g.options()
	o.Seed = changing{g.disk, func(b []byte) { b[len(b)/2] ^= 1 }}
	if _, err := Run(t.Context(), newNode(g.g, g.d), o); err != nil {
		t.Fatal(err)
	}
	g.check()
	broken := errors.New("the seed's disk fails")
	o.Seed = unreadable{g.disk, broken}
	if _, err := Run(t.Context(), newNode(g.g, g.d), o); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type unreadable struct {
	servetest.Disk
	err error
}

func (u unreadable) ReadAt([]byte, int64) (int, error) { return 0, u.err }

func TestResume(t *testing.T) {
	g := newRig(t, 48<<20)
	broke := errors.New("killed")
	n := newNode(g.g, g.d)
	n.alter = func(i int, stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
		if i > 20 {
			return broke
		}
		return pass(stored, refs)
	}
	first, err := Run(t.Context(), n, g.options())
	if !errors.Is(err, broke) || errors.Is(err, ErrVerification) {
		t.Fatal(err)
	}
	// What lies in the unfinished file is not believed.
	partial := g.unfinished(1)[0]
	f, err := os.OpenFile(partial, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	junk := bytes.Repeat([]byte{0xee}, 64<<10)
	for at := int64(0); at < int64(len(g.disk)); at += 1 << 20 {
		if _, err := f.WriteAt(junk, at); err != nil {
			t.Fatal(err)
		}
	}
	f.Truncate(int64(len(g.disk)) + 5)
	f.Close()
	n.alter = nil
	p, err := Run(t.Context(), n, g.options())
	if err != nil {
		t.Fatal(err)
	}
	g.check()
	if p.Done() != p.Total || p.Resumed == 0 || p.Fetched+p.Resumed/2 > p.Total {
		t.Errorf("first %+v, then %+v", first, p)
	}
}

func TestHoleDisk(t *testing.T) {
	g := &rig{t: t, g: servetest.New(t, servetest.Memory()), disk: make(servetest.Disk, 3<<20), out: filepath.Join(t.TempDir(), "d")}
	g.d = g.g.Publish(g.disk, servetest.Params())
	if _, err := Run(t.Context(), newNode(g.g, g.d), g.options()); err != nil {
		t.Fatal(err)
	}
	g.check()
}

func TestWhatIsNotTheDiskIsRefused(t *testing.T) {
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-3] ^= 1
		return b
	}
	type pass = func([]byte, []chunk.Ref) error
	frames := map[string]func(stored []byte, refs []chunk.Ref, p pass) error{
		"damaged frame":     func(stored []byte, refs []chunk.Ref, p pass) error { return p(flip(stored), refs) },
		"no frame":          func(_ []byte, refs []chunk.Ref, p pass) error { return p(make([]byte, 100), refs) },
		"frame is left out": func([]byte, []chunk.Ref, pass) error { return nil },
		"other length": func(stored []byte, refs []chunk.Ref, p pass) error {
			refs = append([]chunk.Ref(nil), refs...)
			refs[0].Length--
			return p(stored, refs)
		},
		"other order": func(stored []byte, refs []chunk.Ref, p pass) error {
			return p(stored, append(append([]chunk.Ref(nil), refs[1:]...), refs[0], refs[0]))
		},
	}
	g := newRig(t, 24<<20)
	for name, f := range frames {
		t.Run(name, func(t *testing.T) {
			n := newNode(g.g, g.d)
			n.alter = func(i int, stored []byte, refs []chunk.Ref, p func([]byte, []chunk.Ref) error) error {
				if i < 5 {
					return p(stored, refs)
				}
				return f(stored, refs, p)
			}
			refused(t, g, n)
		})
	}
	trees := map[string]func(list) list{
		"tree ends early":   func(l list) list { return l[:len(l)-1] },
		"tree is empty":     func(list) list { return nil },
		"damaged root":      func(l list) list { l[0] = flip(l[0]); return l },
		"damaged leaf":      func(l list) list { l[len(l)/2] = flip(l[len(l)/2]); return l },
		"leaves exchanged":  func(l list) list { l[2], l[3] = l[3], l[2]; return l },
		"one node too many": func(l list) list { return append(l, l[0]) },
	}
	for name, f := range trees {
		for _, seed := range []SeedSource{nil, g.disk} {
			t.Run(fmt.Sprint(name, seed != nil), func(t *testing.T) {
				n := newNode(g.g, g.d)
				n.tree = f
				refused(t, g, n, seed)
			})
		}
	}
}

// A source that does not look at what its store gives is asked to, once something came wrong.
func TestWhatComesWrongIsAskedForChecked(t *testing.T) {
	g := newRig(t, 24<<20)
	n := newNode(g.g, g.d)
	n.unsound = true
	if _, err := Run(t.Context(), n, g.options()); err != nil {
		t.Fatal(err)
	}
	g.check()
}

// refused checks that a pull fails and leaves what was there.
func refused(t *testing.T, g *rig, n *node, seed ...SeedSource) {
	t.Helper()
	if err := os.WriteFile(g.out, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := g.options()
	o.TempDir = t.TempDir()
	if len(seed) > 0 {
		o.Seed = seed[0]
	}
	if _, err := Run(t.Context(), n, o); !errors.Is(err, ErrVerification) {
		t.Errorf("got %v, want ErrVerification", err)
	}
	if b, err := os.ReadFile(g.out); string(b) != "before" {
		t.Errorf("the output holds %d bytes; %v", len(b), err)
	}
}

func TestEndlessAnswer(t *testing.T) {
	g := newRig(t, 4<<20)
	n := newNode(g.g, g.d)
	n.alter = func(_ int, stored []byte, _ []chunk.Ref, p func([]byte, []chunk.Ref) error) error {
		for {
			if err := p(stored, []chunk.Ref{{ID: chunk.ID{1}, Length: 5}}); err != nil {
				return err
			}
		}
	}
	if _, err := Run(t.Context(), n, g.options()); !errors.Is(err, errUseless) {
		t.Errorf("got %v", err)
	}
}

// hanging is a tree whose stream stops.
type hanging struct {
	list
	ctx context.Context
}

func (h *hanging) Next() ([]byte, error) {
	if len(h.list) > 1 {
		return h.list.Next()
	}
	<-h.ctx.Done()
	return nil, h.ctx.Err()
}

type hangingNode struct{ *node }

func (n hangingNode) Tree(ctx context.Context) (NodeReader, error) {
	t, err := n.node.Tree(ctx)
	if err != nil {
		return nil, err
	}
	return &hanging{*t.(*list), ctx}, nil
}

// A failure ends the other parts, also those that wait for the source.
func TestFailureEndsTheTree(t *testing.T) {
	g := newRig(t, 24<<20)
	broke := errors.New("connection broke")
	n := newNode(g.g, g.d)
	n.alter = func(int, []byte, []chunk.Ref, func([]byte, []chunk.Ref) error) error { return broke }
	if _, err := Run(t.Context(), hangingNode{n}, g.options()); !errors.Is(err, broke) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n.alter = func(i int, stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error {
		cancel()
		return pass(stored, refs)
	}
	if _, err := Run(ctx, n, g.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOutputsThatCannotBe(t *testing.T) {
	g := newRig(t, 2<<20)
	dir := filepath.Dir(g.out)
	for name, out := range map[string]string{"folder": dir, "character device": "/dev/null", "no folder": filepath.Join(dir, "no", "x")} {
		o := g.options()
		o.Out = out
		if _, err := Run(t.Context(), newNode(g.g, g.d), o); err == nil || errors.Is(err, ErrVerification) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	victim := filepath.Join(dir, "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("mine"), 0o644),
		os.Symlink(victim, filepath.Join(dir, ".disk.raw."+g.d.Root.Short()+".partial"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), newNode(g.g, g.d), g.options()); err == nil {
		t.Error("an unfinished file that is a link was followed")
	}
	if b, _ := os.ReadFile(victim); string(b) != "mine" {
		t.Error("another file was overwritten")
	}
}

// A write that fails ends the pull with that error, and what was written is gone on with.
func TestWriteFails(t *testing.T) {
	g := newRig(t, 8<<20)
	out, err := openOutput(g.out, g.d.Root, g.d.Size, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := out.partial
	if err := out.close(false); err != nil {
		t.Fatal(err)
	}
	if out.file, err = os.Open(name); err != nil { // cannot be written to
		t.Fatal(err)
	}
	err = out.write([]byte("x"), 0)
	if !errors.Is(err, syscall.EBADF) {
		t.Errorf("got %v", err)
	}
	if err := out.close(false); err != nil {
		t.Fatal(err)
	}
	g.unfinished(1)
	if _, err := Run(t.Context(), newNode(g.g, g.d), g.options()); err != nil {
		t.Fatal(err)
	}
	g.check()
}

// A device is written in place: all of it is read first, and holes are made zeros.
func TestOverwritingInPlace(t *testing.T) {
	g := newRig(t, 16<<20)
	b := bytes.Repeat([]byte{0xaa}, len(g.disk)+4096)
	copy(b, g.disk[:5<<20]) // the begin of a disk is never a hole
	if err := os.WriteFile(g.out, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := openDevice(g.out, g.d.Size)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := newNode(g.g, g.d).Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := &puller{src: newNode(g.g, g.d), o: g.options(), out: out}
	p.o.InFlight, p.o.Workers = 2, 2
	if p.root, err = manifest.Open(t.Context(), streamed{tree, nil}, g.d.Root); err != nil {
		t.Fatal(err)
	}
	if err := p.fill(t.Context(), func() {}, tree); err != nil {
		t.Fatal(err)
	}
	if p.resumed.Load() == 0 {
		t.Error("what was there was fetched")
	}
	got, err := os.ReadFile(g.out)
	if err != nil || !bytes.Equal(got[:len(g.disk)], g.disk) || !bytes.Equal(got[len(g.disk):], b[len(g.disk):]) {
		t.Errorf("the device holds another disk, or what lies behind it changed; %v", err)
	}
	if _, err := openDevice(g.out, g.d.Size+8192); err == nil {
		t.Error("a device that is too small was taken")
	}
}
