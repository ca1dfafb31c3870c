package collect_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/collect"
	"loggia/transfer/intake"
	"loggia/transfer/repository"
	"loggia/transfer/serve/servetest"
)

// held is a disk of the rig.
type held struct {
	intake.Result
	bytes servetest.Disk
}

// rig is a region with the part of a log that the collector deals with.
type rig struct {
	*servetest.Region
	t       testing.TB
	rnd     *rand.Rand
	disks   map[string]held
	deleted []collect.Disk // since the last collection that ended
	open    []uint64
	compact bool
	accept  bool

	condemned struct {
		collect.Condemned
		claim uint64
	}
}

func newRig(t testing.TB, s blobstore.Store) *rig {
	return &rig{Region: servetest.New(t, s), t: t, rnd: servetest.Random(t), disks: map[string]held{}, compact: true}
}

func (g *rig) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) publish(name string, d servetest.Disk, bases ...string) {
	g.t.Helper()
	var roots []digest.Digest
	for _, b := range bases {
		roots = append(roots, g.disks[b].Root)
	}
	g.disks[name] = held{g.Publish(d, servetest.Params(), roots...), d}
}

func (g *rig) remove(name string) {
	g.t.Helper()
	d := g.disks[name]
	delete(g.disks, name)
	g.deleted = append(g.deleted, collect.Disk{Name: name, Root: d.Root, Table: d.Table})
}

func (g *rig) state() collect.State {
	s := collect.State{Index: g.Epoch, Segments: slices.Clone(g.Live), Deleted: slices.Clone(g.deleted), Open: g.open}
	for name, d := range g.disks {
		s.Whole = append(s.Whole, collect.Disk{Name: name, Root: d.Root, Table: d.Table})
	}
	slices.SortFunc(s.Whole, func(a, b collect.Disk) int { return a.Root.Compare(b.Root) })
	return s
}

// begin makes a run under a claim of its own.
func (g *rig) begin() (*collect.Run, *repository.Writer) {
	g.t.Helper()
	w := g.Writer(nil)
	r, err := collect.New(collect.Options{Repository: g.Repo, Writer: w, TempDir: g.t.TempDir(), Encoder: g.Encoder, Compact: g.compact, Accept: g.accept,
		Reached: func(context.Context) (uint64, error) { return g.Epoch, nil }})
	g.must(err)
	return r, w
}

// commit is what the log does with a Condemn.
func (g *rig) commit(c collect.Condemned, claim uint64) {
	g.Live = slices.DeleteFunc(slices.Clone(g.Live), func(s repository.SegmentRef) bool { return slices.Contains(c.Remove, s.ID) })
	g.Live = append(slices.Clone(c.Add), g.Live...)
	g.condemned.Condemned, g.condemned.claim = c, claim
	g.Epoch++
}

// collect does a whole collection; an error leaves everything as a crash would.
func (g *rig) collect() (collect.Report, error) {
	g.t.Helper()
	ctx := context.Background()
	if err := g.sweep(); err != nil {
		return collect.Report{}, err
	}
	began := len(g.deleted)
	r, w := g.begin()
	defer w.Close()
	defer r.Close()
	if err := r.Survey(ctx, g.state()); err != nil {
		return r.Report(), err
	}
	c, err := r.Condemn(ctx)
	if err != nil || c.List.IsZero() {
		return r.Report(), err
	}
	g.commit(c, w.Epoch())
	g.deleted = g.deleted[began:]
	return r.Report(), g.sweep()
}

// sweep ends what is condemned.
func (g *rig) sweep() error {
	c := g.condemned
	if c.List.IsZero() {
		return nil
	}
	if _, err := collect.Sweep(context.Background(), collect.SweepOptions{Repository: g.Repo, Claim: c.claim, List: c.List, Segments: g.Live}); err != nil {
		return err
	}
	g.condemned.Condemned = collect.Condemned{}
	return collect.DropList(context.Background(), g.Repo, c.claim, c.List)
}

func (g *rig) mustCollect() collect.Report {
	g.t.Helper()
	r, err := g.collect()
	g.must(err)
	return r
}

// check reads every disk back.
func (g *rig) check() {
	g.t.Helper()
	for _, d := range g.disks {
		g.Check(d.Result, d.bytes)
	}
}

// keys lists the store.
func (g *rig) keys() (keys []string, bytes int64) {
	g.t.Helper()
	g.must(g.Store.List(context.Background(), g.Repo.Keys.Prefix(), "", func(i blobstore.Info) error {
		keys = append(keys, i.Key)
		bytes += i.Size
		return nil
	}))
	return keys, bytes
}

// fresh is what a store of nothing but the rig's disks would hold.
func (g *rig) fresh() int64 {
	g.t.Helper()
	other := newRig(g.t, servetest.Memory())
	var names []string
	for name := range g.disks {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		other.publish(name, g.disks[name].bytes, names[max(0, i-1):i]...)
	}
	_, bytes := other.keys()
	return bytes
}

func wantStop(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func version(n int) string { return fmt.Sprintf("v%03d", n) }
