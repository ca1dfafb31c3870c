package collect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/testing/faults"
	"loggia/transfer/collect"
	"loggia/transfer/pack"
	"loggia/transfer/serve/servetest"
)

// series publishes n versions, each a change of the one before.
func (g *rig) series(n, size int) {
	d := servetest.NewDisk(g.rnd, size)
	g.publish(version(1), d)
	for i := 2; i <= n; i++ {
		d = servetest.Change(g.rnd, d, 20)
		g.publish(version(i), d, version(i-1))
	}
}

func TestDeletesWhatNobodyNeeds(t *testing.T) {
	for name, store := range map[string]blobstore.Store{"memory": servetest.Memory(), "folder": servetest.Folder(t)} {
		t.Run(name, func(t *testing.T) { deletesWhatNobodyNeeds(t, store) })
	}
}

// TestDirectoriesAreNoWaste holds that a pack of which little is left but its directory is not written anew in each run: this seed makes one.
func TestDirectoriesAreNoWaste(t *testing.T) {
	t.Setenv("LOGGIA_SEED", "10351267699474633204")
	deletesWhatNobodyNeeds(t, servetest.Memory())
}

func deletesWhatNobodyNeeds(t *testing.T, s blobstore.Store) {
	g := newRig(t, s)
	g.series(4, 12<<20)
	_, before := g.keys()
	first := g.mustCollect() // nothing is dead but what publishing leaves
	g.check()
	g.remove(version(1))
	g.remove(version(2))
	r := g.mustCollect()
	g.check()
	_, after := g.keys()
	if r.Unaccounted != 0 || first.Unaccounted != 0 || after >= before {
		t.Errorf("from %d to %d bytes, reports %+v, %+v", before, after, first, r)
	}
	if fresh := g.fresh(); float64(after) > 1.3*float64(fresh) {
		t.Errorf("%d bytes are left, a fresh store has %d", after, fresh)
	}
	again := g.mustCollect()
	if again.GarbageBytes > 200<<10 || again.Compacted > 0 {
		t.Errorf("the next run finds more: %+v", again)
	}
	g.remove(version(3))
	g.remove(version(4))
	g.mustCollect()
	g.mustCollect()
	if keys, _ := g.keys(); len(keys) > 2 {
		t.Errorf("of nothing %d keys are left: %v", len(keys), keys[:3])
	}
}

func TestNightly(t *testing.T) {
	g := newRig(t, servetest.Memory())
	const retention, nights = 4, 16
	d := servetest.NewDisk(g.rnd, 16<<20)
	g.publish(version(0), d)
	for n := 1; n < nights; n++ {
		d = servetest.Change(g.rnd, d, 40)
		g.publish(version(n), d, version(n-1))
		if n >= retention {
			g.remove(version(n - retention))
		}
		r := g.mustCollect()
		_, bytes := g.keys()
		t.Logf("night %d: %d bytes, live %d, compacted %d, garbage %d", n, bytes, r.Live, r.Compacted, r.GarbageBytes)
	}
	g.check()
	_, bytes := g.keys()
	if fresh := g.fresh(); float64(bytes) > 1.3*float64(fresh) {
		t.Errorf("%d bytes, a fresh store has %d", bytes, fresh)
	}
}

func TestSparesOpenClaims(t *testing.T) {
	g := newRig(t, servetest.Memory())
	g.series(1, 4<<20)
	w := g.Writer(g.View())
	content := []byte(strings.Repeat("what an open upload has brought", 100))
	g.must(w.PutNode(t.Context(), digest.Of(content), content))
	g.must(w.Flush(t.Context()))
	epoch := w.Epoch()
	g.must(w.Close())
	dir := g.Repo.Keys.Packs(pack.Nodes, epoch)
	has := func() bool {
		keys, _ := g.keys()
		return slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, dir) })
	}
	g.open = []uint64{epoch}
	g.mustCollect()
	if !has() {
		t.Fatal("the pack of an open claim is gone")
	}
	g.open = nil
	g.mustCollect()
	if has() {
		t.Fatal("the pack of an ended claim is still there")
	}
	g.check()
}

func TestStopsWithoutADelete(t *testing.T) {
	pick := func(g *rig, kind string) string {
		keys, _ := g.keys()
		i := slices.IndexFunc(keys, func(k string) bool { return strings.HasPrefix(k, g.Repo.Keys.Prefix()+kind) })
		return keys[i]
	}
	for name, tc := range map[string]struct {
		plant func(g *rig, f *faults.Store)
		want  error
	}{
		"a pack is gone":  {func(g *rig, _ *faults.Store) { g.must(g.Store.Delete(t.Context(), pick(g, "p/"))) }, collect.ErrLost},
		"a pack is short": {func(g *rig, _ *faults.Store) { g.must(g.Store.Put(t.Context(), pick(g, "p/"), []byte("short"))) }, collect.ErrLost},
		"the trees are gone": {func(g *rig, _ *faults.Store) {
			keys, _ := g.keys()
			for _, k := range keys {
				if strings.HasPrefix(k, g.Repo.Keys.Prefix()+"m/") {
					g.must(g.Store.Delete(t.Context(), k))
				}
			}
		}, collect.ErrUnreadable},
		"the segments lack a disk": {func(g *rig, _ *faults.Store) { g.Live = g.Live[1:] }, collect.ErrUnreadable},
		"the listing fails half-way": {func(_ *rig, f *faults.Store) {
			f.Add(faults.Rule{Op: faults.List, Err: blobstore.ErrUnavailable, After: 3})
		}, collect.ErrListing},
		"the store is unavailable": {func(_ *rig, f *faults.Store) { f.Add(faults.Rule{Op: faults.Get, Err: blobstore.ErrUnavailable}) }, blobstore.ErrUnavailable},
		"the state is older than the store": {func(g *rig, _ *faults.Store) {
			g.must(g.Store.Put(t.Context(), g.Repo.Keys.Pack(pack.Data, g.Epoch+100, digest.Of(nil)), []byte("x")))
		}, collect.ErrForeign},
		"a disk vanished without a delete": {func(g *rig, _ *faults.Store) { delete(g.disks, version(1)); delete(g.disks, version(2)) }, collect.ErrUnaccounted},
	} {
		t.Run(name, func(t *testing.T) {
			f := faults.New(servetest.Memory())
			g := newRig(t, f)
			g.publish("other", servetest.NewDisk(g.rnd, 3<<20))
			g.series(2, 10<<20)
			tc.plant(g, f)
			deletes := f.Calls(faults.Delete)
			_, err := g.collect()
			wantStop(t, err, tc.want)
			if n := f.Calls(faults.Delete); n != deletes {
				t.Errorf("%d deletes", n-deletes)
			}
			if !g.condemned.List.IsZero() {
				t.Error("a list was committed")
			}
		})
	}
}

// TestAListingThatLags holds that a missing entry proves nothing.
func TestAListingThatLags(t *testing.T) {
	lag := &lagging{Store: servetest.Memory()}
	g := newRig(t, lag)
	g.series(2, 6<<20)
	keys, _ := g.keys()
	lag.hide = keys[slices.IndexFunc(keys, func(k string) bool { return strings.HasPrefix(k, g.Repo.Keys.Prefix()+"p/") })]
	g.remove(version(1))
	g.mustCollect()
	g.check()
}

type lagging struct {
	blobstore.Store
	hide string
}

func (l *lagging) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	return l.Store.List(ctx, prefix, after, func(i blobstore.Info) error {
		if i.Key == l.hide {
			return nil
		}
		return fn(i)
	})
}

func TestOperatorAccepts(t *testing.T) {
	g := newRig(t, servetest.Memory())
	g.series(2, 10<<20)
	delete(g.disks, version(1))
	delete(g.disks, version(2))
	_, err := g.collect()
	wantStop(t, err, collect.ErrUnaccounted)
	g.accept = true
	g.mustCollect()
	if keys, _ := g.keys(); slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, g.Repo.Keys.Prefix()+"p/") }) {
		t.Error("packs are left")
	}
}

// TestTwoCollectors holds that two that both believe in themselves compute the same set, and that deleting it twice is harmless.
func TestTwoCollectors(t *testing.T) {
	g := newRig(t, servetest.Memory())
	g.compact = false
	g.series(3, 8<<20)
	g.remove(version(1))
	s := g.state()
	var lists []digest.Digest
	for range 2 {
		r, w := g.begin()
		g.must(r.Survey(t.Context(), s))
		c, err := r.Condemn(t.Context())
		g.must(err)
		lists = append(lists, c.List)
		g.commit(c, w.Epoch())
		g.must(errors.Join(r.Close(), w.Close()))
		s.Open = append(s.Open, w.Epoch())
		if len(lists) == 1 {
			g.Live = s.Segments // the second one knows nothing of the first
		}
	}
	if lists[0] != lists[1] {
		t.Errorf("lists %v", lists)
	}
	held := g.condemned
	g.must(g.sweep())
	g.condemned = held
	_, err := collect.Sweep(t.Context(), collect.SweepOptions{Repository: g.Repo, Claim: held.claim, List: held.List, Segments: g.Live})
	wantStop(t, err, collect.ErrList) // the list went with the sweep
	g.check()
}

// TestCompletedAfterTheMark holds D2: what a completion needs that came after the mark is not condemned, though it was dead when marked.
func TestCompletedAfterTheMark(t *testing.T) {
	for name, compact := range map[string]bool{"compacting": true, "not compacting": false} {
		t.Run(name, func(t *testing.T) { completedAfterTheMark(t, servetest.Memory(), compact) })
	}
}

func completedAfterTheMark(t *testing.T, s blobstore.Store, compact bool) {
	g := newRig(t, s)
	g.compact = compact
	g.series(3, 8<<20)
	old := g.disks[version(1)]
	g.remove(version(1))
	r, w := g.begin()
	defer w.Close()
	defer r.Close()
	g.must(r.Survey(t.Context(), g.state()))
	// Published again: the index still knows every chunk.
	g.disks["again"] = old
	g.must(r.Renew(t.Context(), g.state()))
	c, err := r.Condemn(t.Context())
	g.must(err)
	if !c.List.IsZero() {
		g.commit(c, w.Epoch())
	}
	g.must(g.sweep())
	g.check()
}

// TestWantedCopiesStay holds that what is left of a lost copy is not garbage: it may be the last there is.
func TestWantedCopiesStay(t *testing.T) {
	g := newRig(t, servetest.Memory())
	g.series(1, 8<<20)
	lost := g.disks[version(1)]
	keys, _ := g.keys()
	gone := keys[slices.IndexFunc(keys, func(k string) bool { return strings.HasPrefix(k, g.Repo.Keys.Prefix()+"p/") })]
	g.must(g.Store.Delete(t.Context(), gone))
	r, w := g.begin()
	defer w.Close()
	defer r.Close()
	s := g.state()
	s.Whole, s.Wanted = nil, []collect.Disk{{Name: "lost", Root: lost.Root, Table: lost.Table}}
	err := r.Survey(t.Context(), s)
	wantStop(t, err, collect.ErrLost) // a segment still lists it: verify takes it out first
	if rep := r.Report(); rep.Garbage > int64(len(keys)) {
		t.Errorf("report %+v", rep)
	}
}

func TestSweepRefuses(t *testing.T) {
	g := newRig(t, servetest.Memory())
	g.series(2, 6<<20)
	keys, _ := g.keys()
	w := g.Writer(nil)
	defer w.Close()
	live := strings.TrimPrefix(keys[slices.IndexFunc(keys, func(k string) bool { return strings.HasPrefix(k, g.Repo.Keys.Prefix()+"p/") })], g.Repo.Keys.Prefix())
	segment := strings.TrimPrefix(g.Repo.Keys.Segment(g.Live[0].Epoch, g.Live[0].ID), g.Repo.Keys.Prefix())
	for _, key := range []string{live, segment, "loggia.json", "p/1/2"} {
		id, err := w.PutCondemned(t.Context(), collect.NewList([]string{key}).Encode())
		g.must(err)
		_, err = collect.Sweep(t.Context(), collect.SweepOptions{Repository: g.Repo, Claim: w.Epoch(), List: id, Segments: g.Live})
		wantStop(t, err, collect.ErrList)
		g.must(g.Store.Put(t.Context(), g.Repo.Keys.Condemned(w.Epoch(), id), []byte("changed")))
		_, err = collect.Sweep(t.Context(), collect.SweepOptions{Repository: g.Repo, Claim: w.Epoch(), List: id, Segments: g.Live})
		wantStop(t, err, collect.ErrList)
	}
	g.check()
}

// crashing is a store whose process is gone after some writes.
type crashing struct {
	blobstore.Store
	left atomic.Int64 // writes that still succeed
}

var errCrashed = errors.New("the process is gone")

func (c *crashing) Put(ctx context.Context, key string, data []byte) error {
	if c.left.Add(-1) < 0 {
		return errCrashed
	}
	return c.Store.Put(ctx, key, data)
}

func (c *crashing) Delete(ctx context.Context, key string) error {
	if c.left.Add(-1) < 0 {
		return errCrashed
	}
	return c.Store.Delete(ctx, key)
}

// TestCrashAtEveryWrite ends a collection at each of its writes and deletes in turn; the next one ends the work, and at no time is a disk
// unreadable.
func TestCrashAtEveryWrite(t *testing.T) {
	for n := int64(0); crashAfter(t, servetest.Memory(), n); n++ {
	}
}

// crashAfter ends a collection after n writes and deletes, and says whether there would have been more.
func crashAfter(t *testing.T, below blobstore.Store, n int64) bool {
	const forever = 1 << 40
	s := &crashing{Store: below}
	s.left.Store(forever)
	g := newRig(t, s)
	g.series(2, 1<<20)
	g.remove(version(1))
	s.left.Store(n)
	_, err := g.collect()
	s.left.Store(forever)
	g.check()
	g.mustCollect()
	g.check()
	if r := g.mustCollect(); r.GarbageBytes > 100<<10 {
		t.Errorf("after a crash at write %d garbage is left: %+v", n, r)
	}
	if err != nil && !errors.Is(err, errCrashed) {
		t.Fatalf("crash at write %d: %v", n, err)
	}
	if err == nil && n < 4 {
		t.Errorf("a collection made only %d writes", n)
	}
	return err != nil
}
