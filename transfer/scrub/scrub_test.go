package scrub_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/collect"
	"loggia/transfer/intake"
	"loggia/transfer/pack"
	"loggia/transfer/scrub"
	"loggia/transfer/serve/servetest"
)

type rig struct {
	*servetest.Region
	t     testing.TB
	disks []intake.Result
}

func newRig(t testing.TB) *rig {
	g := &rig{Region: servetest.New(t, servetest.Memory()), t: t}
	r := servetest.Random(t)
	d := servetest.NewDisk(r, 12<<20)
	first := g.Publish(d, servetest.Params())
	g.disks = append(g.disks, first, g.Publish(servetest.Change(r, d, 10), servetest.Params(), first.Root))
	return g
}

func (g *rig) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) check(quick bool) (found []scrub.Finding, last scrub.Progress) {
	g.t.Helper()
	s := collect.State{Index: g.Epoch, Segments: g.Live}
	for _, d := range g.disks {
		s.Whole = append(s.Whole, collect.Disk{Name: d.Root.Short(), Root: d.Root, Table: d.Table})
	}
	g.must(scrub.Run(context.Background(), scrub.Options{Repository: g.Repo, State: s, TempDir: g.t.TempDir(), Quick: quick,
		Found:    func(f scrub.Finding) error { found = append(found, f); return nil },
		Progress: func(p scrub.Progress) { last = p }}))
	return found, last
}

// bad leaves the checkpoints and superseded segments of uploads out.
func bad(found []scrub.Finding) (out []scrub.Finding) {
	for _, f := range found {
		if f.Kind != scrub.Orphaned {
			out = append(out, f)
		}
	}
	return out
}

func (g *rig) key(kind string) (key string, b []byte) {
	g.t.Helper()
	g.must(g.Store.List(context.Background(), g.Repo.Keys.Prefix()+kind, "", func(i blobstore.Info) error {
		if key == "" {
			key, b = i.Key, make([]byte, i.Size)
		}
		return nil
	}))
	body, err := g.Store.Get(context.Background(), key, 0, -1)
	g.must(err)
	defer body.Close()
	for at := 0; at < len(b); {
		n, err := body.Read(b[at:])
		if at += n; at < len(b) {
			g.must(err)
		}
	}
	return key, b
}

func TestSound(t *testing.T) {
	g := newRig(t)
	for _, quick := range []bool{false, true} {
		found, p := g.check(quick)
		if len(bad(found)) > 0 || p.Packs != p.PacksTotal || p.Bytes != p.BytesTotal || p.Disks != 2 || p.Bytes == 0 {
			t.Errorf("quick %v: found %+v, progress %+v", quick, bad(found), p)
		}
	}
}

func TestFinds(t *testing.T) {
	put := func(g *rig, key string, b []byte) { g.must(g.Store.Put(context.Background(), key, b)) }
	drop := func(g *rig, key string) { g.must(g.Store.Delete(context.Background(), key)) }
	for name, tc := range map[string]struct {
		plant func(g *rig) string
		want  scrub.Kind
		quick bool // a quick check finds it, too
	}{
		"a pack is gone":         {func(g *rig) string { k, _ := g.key("p/"); drop(g, k); return k }, scrub.Lost, true},
		"a pack is short":        {func(g *rig) string { k, b := g.key("p/"); put(g, k, b[:len(b)-1]); return k }, scrub.Damaged, true},
		"a frame is flipped":     {func(g *rig) string { k, b := g.key("p/"); b[100] ^= 1; put(g, k, b); return k }, scrub.Damaged, false},
		"a directory is flipped": {func(g *rig) string { k, b := g.key("p/"); b[len(b)-100] ^= 1; put(g, k, b); return k }, scrub.Damaged, false},
		"a tree's pack is gone":  {func(g *rig) string { k, _ := g.key("m/"); drop(g, k); return k }, scrub.Lost, true},
		"a live segment is gone": {func(g *rig) string { k := g.Repo.Keys.Segment(g.Live[0].Epoch, g.Live[0].ID); drop(g, k); return k }, scrub.Lost, true},
		"a record is gone":       {func(g *rig) string { k, _ := g.key("v/"); drop(g, k); return g.disks[0].Root.String() }, scrub.Lost, true},
		"a pack that nobody lists": {func(g *rig) string {
			k := g.Repo.Keys.Pack(pack.Data, 1, digest.Of([]byte("stray")))
			put(g, k, []byte("stray"))
			return k
		}, scrub.Orphaned, true},
		"a key of somebody else":  {func(g *rig) string { k := g.Repo.Keys.Prefix() + "readme.txt"; put(g, k, []byte("hello")); return k }, scrub.Unknown, true},
		"the log lacks a segment": {func(g *rig) string { g.Live = g.Live[1:]; return "" }, scrub.Unindexed, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			key := tc.plant(g)
			for _, quick := range []bool{false, true} {
				found, _ := g.check(quick)
				there := slices.ContainsFunc(found, func(f scrub.Finding) bool {
					return f.Kind == tc.want && (strings.Contains(f.Key, key) || key == "" || f.Kind == scrub.Unindexed)
				})
				if there != (tc.quick || !quick) {
					t.Errorf("quick %v: found %+v", quick, bad(found))
				}
			}
		})
	}
}
