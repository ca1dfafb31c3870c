package pull

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/intake"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
	"loggia/transfer/serve"
	"loggia/transfer/serve/servetest"
)

// node is a region's node as a source, without the wire.
type node struct {
	view *repository.View
	o    serve.Options
	root chunk.ID

	requests atomic.Int64
	stored   atomic.Int64
	alter    func(n int, stored []byte, refs []chunk.Ref, pass func([]byte, []chunk.Ref) error) error
	frames   atomic.Int64
	tree     func(list) list
	unsound  bool // sends wrong bytes where it is not asked to look
}

func newNode(g *servetest.Region, d intake.Result) *node {
	return &node{view: g.View(), root: d.Root, o: serve.Options{Pool: g.Reads, Decoder: g.Decoder, Encoder: g.Encoder}}
}

// list is the nodes of a tree.
type list [][]byte

func (l *list) Node(b []byte) error {
	*l = append(*l, bytes.Clone(b))
	return nil
}

func (l *list) Next() ([]byte, error) {
	if len(*l) == 0 {
		return nil, io.EOF
	}
	b := (*l)[0]
	*l = (*l)[1:]
	return b, nil
}

func (l *list) Close() error { return nil }

func (n *node) Tree(ctx context.Context) (NodeReader, error) {
	var l list
	if err := serve.Tree(ctx, n.view, n.root, &l); err != nil {
		return nil, err
	}
	if n.tree != nil {
		l = n.tree(l)
	}
	return &l, nil
}

func (n *node) Fetch(ctx context.Context, want []Want, checked bool, fn func([]byte, []chunk.Ref) error) error {
	n.requests.Add(1)
	root, err := manifest.Open(ctx, n.view, n.root)
	if err != nil {
		return err
	}
	var asks []serve.Ask
	for _, w := range want {
		asks = append(asks, serve.Ask(w))
	}
	ids, _, err := serve.Wanted(ctx, n.view, root, asks)
	if err != nil {
		return err
	}
	o := n.o
	o.Unchecked = !checked
	missing, err := serve.Local{View: n.view, Options: o}.Fetch(ctx, ids, func(stored []byte, refs []chunk.Ref) error {
		n.stored.Add(int64(len(stored)))
		if n.unsound && !checked {
			stored = bytes.Clone(stored)
			stored[len(stored)-3] ^= 1
		}
		if n.alter != nil {
			return n.alter(int(n.frames.Add(1)), stored, refs, fn)
		}
		return fn(stored, refs)
	})
	if err == nil && len(missing) > 0 {
		err = errors.New("the region lacks chunks")
	}
	return err
}

// rig is a published disk and where it is pulled to.
type rig struct {
	t    *testing.T
	g    *servetest.Region
	d    intake.Result
	disk servetest.Disk
	out  string
}

func newRig(t *testing.T, size int) *rig {
	t.Helper()
	r := servetest.Random(t)
	g := &rig{t: t, g: servetest.New(t, servetest.Memory()), disk: servetest.NewDisk(r, size), out: filepath.Join(t.TempDir(), "disk.raw")}
	g.d = g.g.Publish(g.disk, servetest.Params())
	return g
}

// generations are two versions of a disk in one region.
type generations struct {
	region    *servetest.Region
	old, disk servetest.Disk
	v1, v2    intake.Result
}

func newGenerations(t *testing.T) generations {
	t.Helper()
	r := servetest.Random(t)
	g := generations{region: servetest.New(t, servetest.Memory()), old: servetest.NewDisk(r, 40<<20)}
	g.v1 = g.region.Publish(g.old, servetest.Params())
	g.disk = servetest.Change(r, g.old, 8)
	g.v2 = g.region.Publish(g.disk, servetest.Params(), g.v1.Root)
	return g
}

// to makes a rig that pulls one of them.
func (g generations) to(t *testing.T, d intake.Result, disk servetest.Disk) *rig {
	return &rig{t: t, g: g.region, d: d, disk: disk, out: filepath.Join(t.TempDir(), "disk.raw")}
}

func (g *rig) options() Options {
	var last Progress
	return Options{Root: g.d.Root, Out: g.out, TempDir: g.t.TempDir(), Progress: func(p Progress) {
		if p.Resumed < last.Resumed || p.Seeded < last.Seeded || p.Fetched < last.Fetched || p.Wire < last.Wire || p.Done() > p.Total {
			g.t.Errorf("progress from %+v to %+v", last, p)
		}
		last = p
	}}
}

// check compares the output.
func (g *rig) check() {
	g.t.Helper()
	b, err := os.ReadFile(g.out)
	if err != nil {
		g.t.Fatal(err)
	}
	if !bytes.Equal(b, g.disk) {
		g.t.Fatal("the output is another disk")
	}
	g.unfinished(0)
}

// unfinished checks how many unfinished files there are.
func (g *rig) unfinished(want int) []string {
	g.t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(g.out), ".*.partial"))
	if err != nil || len(found) != want {
		g.t.Fatalf("%d unfinished files, want %d; %v", len(found), want, err)
	}
	return found
}
