package checking

import (
	"context"
	"errors"
	"maps"
	"testing"

	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
	"loggia/transfer/serve/servetest"
)

// sound is a rig with a disk that has a copy elsewhere.
func sound(t *testing.T) *rig {
	r := newRig(t)
	r.publish(1, servetest.NewDisk(servetest.Random(t), 2<<20), true)
	return r
}

// packsOf calls fn for the key of every pack that a view lists.
func packsOf(v *repository.View, fn func(key string)) error {
	return v.Packs(func(_ int, p index.Pack, _ *pack.Directory) error {
		fn(v.Repository.Keys.Pack(p.Kind, p.Epoch, p.ID))
		return nil
	})
}

func TestCheckRefuses(t *testing.T) {
	r := sound(t)
	c := r.checker(1)
	none := func(v1.CheckEvent) error { return nil }
	wantKind(t, c.Check(t.Context(), "a", v1.CheckRequest{}, none), gallery.ErrUnavailable)
	wantKind(t, c.Check(t.Context(), "b", v1.CheckRequest{Store: "none"}, none), gallery.ErrNotFound)
	r.do(&command.StorePut{Store: gallery.Store{ID: store(3), Region: "b", Name: "second", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
	wantKind(t, c.Check(t.Context(), "b", v1.CheckRequest{Store: "second"}, none), gallery.ErrUnavailable)
	if _, _, err := r.check(c, v1.CheckRequest{Store: "main"}); err != nil {
		t.Errorf("the store that is in service: %v", err)
	}
	asked := false
	err := c.Check(t.Context(), "b", v1.CheckRequest{Store: "main"}, func(v1.CheckEvent) error {
		if !asked {
			asked = true
			wantKind(t, c.Check(t.Context(), "b", v1.CheckRequest{}, none), gallery.ErrConflict)
		}
		return nil
	})
	if err != nil || !asked {
		t.Errorf("the first of two: %v, the second was asked for: %t", err, asked)
	}
	r.fail = gallery.ErrNoLeader
	wantKind(t, c.Check(t.Context(), "b", v1.CheckRequest{}, none), gallery.ErrNoLeader)
}

func TestFindsEachKind(t *testing.T) {
	for name, tc := range map[string]struct {
		plant func(r *rig)
		want  map[string]int // but for what is orphaned by publishing
		quick bool           // a quick check finds it, too
	}{
		"nothing":            {func(*rig) {}, map[string]int{}, true},
		"a pack is gone":     {func(r *rig) { r.drop(r.keys("p/")[0]) }, map[string]int{"lost": 1}, true},
		"a pack is damaged":  {func(r *rig) { r.flip(r.keys("p/")[0]) }, map[string]int{"damaged": 1}, false},
		"a record is gone":   {func(r *rig) { r.drop(r.keys("v/")[0]) }, map[string]int{"lost": 1}, true},
		"a stranger's key":   {func(r *rig) { r.put(r.Repo.Keys.Prefix()+"readme.txt", []byte("x")) }, map[string]int{"unknown": 1}, true},
		"beside the domains": {func(r *rig) { r.put("readme.txt", []byte("x")) }, map[string]int{"unknown": 1}, true},
		"the log lacks a segment": {func(r *rig) {
			got := r.do(&command.RepositoryClaim{Repository: r.key, Node: node(1), Lease: lease}).Value.(*gallery.Repository)
			row := r.row()
			r.do(&command.RepositoryCompact{Repository: r.key, Epoch: row.Epoch, Claim: got.Claim.Epoch, Remove: []digest.Digest{row.Segments[0].ID}})
		}, map[string]int{"unindexed": 1}, true},
		"a pack that nobody lists": {func(r *rig) { r.put(r.Repo.Keys.Pack(pack.Data, 1, digest.Of([]byte("stray"))), []byte("stray")) }, map[string]int{"orphaned": 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := sound(t)
			c := r.checker(1)
			before, _, err := r.check(c, v1.CheckRequest{})
			r.must(err)
			tc.plant(r)
			for _, quick := range []bool{false, true} {
				found, _, err := r.check(c, v1.CheckRequest{Quick: quick})
				r.must(err)
				if name != "the log lacks a segment" { // its packs are orphaned with it
					found["orphaned"] -= before["orphaned"]
				} else {
					found["orphaned"], found["unindexed"] = 0, min(found["unindexed"], 1)
				}
				maps.DeleteFunc(found, func(_ string, n int) bool { return n == 0 })
				want := tc.want
				if quick && !tc.quick {
					want = map[string]int{}
				}
				if !maps.Equal(found, want) {
					t.Errorf("quick %t: found %v, want %v", quick, found, want)
				}
			}
			if row := r.row(); row.Checked != nil || !r.replica(1).Whole() {
				t.Errorf("without --repair a check left %+v, %+v", row.Checked, r.replica(1))
			}
		})
	}
}

// TestRepair holds that what is bad leaves the index under a claim that is held meanwhile and given back, and that the copy is wanted again.
func TestRepair(t *testing.T) {
	for name, plant := range map[string]func(r *rig, key string){"lost": (*rig).drop, "damaged": (*rig).flip} {
		t.Run(name, func(t *testing.T) {
			r := sound(t)
			c := r.checker(1)
			key := r.keys("p/")[0]
			plant(r, key)
			compacted := false
			r.seen = func(cmd command.Command) {
				if x, ok := cmd.(*command.RepositoryCompact); ok {
					claim := r.row().Claim
					compacted = claim != nil && claim.Node == node(1) && claim.Epoch == x.Claim && c.o.Claims.Active() && r.row().Checking
				}
			}
			_, repaired, err := r.check(c, v1.CheckRequest{Repair: true})
			r.must(err)
			if !compacted || repaired != 1 {
				t.Errorf("the index changed under a held claim: %t; %d copies repaired", compacted, repaired)
			}
			if p := r.replica(1); p.Whole() || p.Reason != gallery.ReasonDamaged {
				t.Errorf("the copy is %+v", p)
			}
			if r.row().Claim != nil || c.o.Claims.Active() || r.listed(key) {
				t.Errorf("afterwards: claim %v, active %t, listed %t", r.row().Claim, c.o.Claims.Active(), r.listed(key))
			}
			if found, _, err := r.check(c, v1.CheckRequest{}); err != nil || found["lost"]+found["damaged"]+found["unindexed"] > 0 {
				t.Errorf("the next check: %v, %v", found, err)
			}
		})
	}
}

func TestRepairOfARecord(t *testing.T) {
	r := sound(t)
	c := r.checker(1)
	r.drop(r.keys("v/")[0])
	if _, repaired, err := r.check(c, v1.CheckRequest{Repair: true}); err != nil || repaired != 0 || !r.replica(1).Whole() {
		t.Errorf("%d copies repaired, %v", repaired, err)
	}
	if found, _, err := r.check(c, v1.CheckRequest{}); err != nil || found["lost"] > 0 {
		t.Errorf("the next check: %v, %v", found, err)
	}
}

// TestRepairWaitsForTheClaim: while another node collects or checks nothing is changed; then it is.
func TestRepairWaitsForTheClaim(t *testing.T) {
	for name, release := range map[string]bool{"it ends": true, "who asked is gone": false} {
		t.Run(name, func(t *testing.T) {
			r := sound(t)
			r.drop(r.keys("p/")[0])
			other := r.do(&command.RepositoryClaim{Repository: r.key, Node: node(2), Lease: lease}).Value.(*gallery.Repository).Claim.Epoch
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := r.checker(1)
			done := 0 // words of progress at the end of the check: after the first one the repair waits
			err := c.Check(ctx, "b", v1.CheckRequest{Repair: true}, func(e v1.CheckEvent) error {
				if p := e.Progress; p == nil || p.Packs < p.PacksTotal {
					return nil
				}
				if done++; done < 2 {
					return nil
				}
				if !r.replica(1).Whole() {
					t.Error("it did not wait")
				}
				if !release {
					cancel()
				} else if done == 2 {
					r.do(&command.RepositoryRelease{Repository: r.key, Claim: other})
				}
				return nil
			})
			if release != (err == nil) || release == r.replica(1).Whole() || !release && !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, the copy is %s", err, r.replica(1).State)
			}
		})
	}
}

func TestCheckIsCancelled(t *testing.T) {
	r := sound(t)
	c := r.checker(1)
	r.drop(r.keys("p/")[0])
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Check(ctx, "b", v1.CheckRequest{Repair: true}, func(v1.CheckEvent) error { cancel(); return nil })
	wantKind(t, err, context.Canceled)
	if !r.replica(1).Whole() || r.row().Claim != nil {
		t.Error("it repaired")
	}
	gone := errors.New("the reader is gone")
	err = c.Check(t.Context(), "b", v1.CheckRequest{}, func(e v1.CheckEvent) error {
		if e.Finding != nil {
			return gone
		}
		return nil
	})
	wantKind(t, err, gone)
	if _, _, err := r.check(c, v1.CheckRequest{}); err != nil {
		t.Errorf("the next one: %v", err)
	}
}
