package scrub_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/collect"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/scrub"
)

// part checks a part of the rig's repository.
func (g *rig) part(p *scrub.Part) (found []scrub.Finding, last scrub.Progress, err error) {
	g.t.Helper()
	s := collect.State{Index: g.Epoch, Segments: g.Live}
	for _, d := range g.disks {
		s.Whole = append(s.Whole, collect.Disk{Name: d.Root.Short(), Root: d.Root, Table: d.Table})
	}
	err = scrub.Run(context.Background(), scrub.Options{Repository: g.Repo, State: s, TempDir: g.t.TempDir(), Part: p,
		Found:    func(f scrub.Finding) error { found = append(found, f); return nil },
		Progress: func(p scrub.Progress) { last = p }})
	return bad(found), last, err
}

// TestParts holds that the parts of a round read every pack once, and find what is damaged in the one that it lies in.
func TestParts(t *testing.T) {
	g := newRig(t)
	_, all := g.check(false)
	key, b := g.key("p/")
	o, err := g.Repo.Keys.Parse(key)
	g.must(err)
	b[100] ^= 1
	g.must(g.Store.Put(context.Background(), key, b))
	const parts = 5
	var read int64
	for i := range uint64(parts) {
		from, to := scrub.End*i/parts, scrub.End*(i+1)/parts
		var reached []uint64
		found, p, err := g.part(&scrub.Part{From: from, To: to, Reached: func(at uint64) error { reached = append(reached, at); return nil }})
		g.must(err)
		in := from <= scrub.Position(o.ID) && scrub.Position(o.ID) < to
		if (len(found) == 1) != in || p.Packs != all.Packs || !slices.IsSorted(reached) || reached[len(reached)-1] != to {
			t.Errorf("part %d of %d: found %+v (it lies there: %t), progress %+v, reached %v", i, parts, found, in, p, reached)
		}
		read += p.ReadPacks
	}
	if read != all.ReadPacks || read == 0 {
		t.Errorf("%d packs were read, want %d", read, all.ReadPacks)
	}
	reached := func(uint64) error { return nil }
	found, p, err := g.part(&scrub.Part{Again: []digest.Digest{o.ID}, Reached: reached})
	g.must(err)
	if len(found) != 1 || p.ReadPacks != 1 {
		t.Errorf("the pack alone, again: found %+v, progress %+v", found, p)
	}
}

// TestPartEnds: what was read counts, also where the check ends early.
func TestPartEnds(t *testing.T) {
	g := newRig(t)
	enough := errors.New("enough")
	if _, _, err := g.part(&scrub.Part{To: scrub.End, Reached: func(uint64) error { return enough }}); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

// TestReliesNamesThePacks of both trees and of the chunks.
func TestReliesNamesThePacks(t *testing.T) {
	g := newRig(t)
	packs := map[string]bool{}
	for _, d := range g.disks {
		all, err := scrub.Relies(context.Background(), g.View(), collect.Disk{Root: d.Root, Table: d.Table}, func(p index.Pack) {
			packs[g.Repo.Keys.Pack(p.Kind, p.Epoch, p.ID)] = true
		})
		if g.must(err); !all {
			t.Error("it says that there are more")
		}
	}
	n := 0
	g.must(g.Store.List(context.Background(), g.Repo.Keys.Prefix(), "", func(i blobstore.Info) error {
		if o, err := g.Repo.Keys.Parse(i.Key); err == nil && (o.Kind == byte(pack.Data) || o.Kind == byte(pack.Nodes)) && packs[i.Key] {
			n++
		}
		return nil
	}))
	if n != len(packs) || n < 3 {
		t.Errorf("%d packs named, %d of them are there", len(packs), n)
	}
}
