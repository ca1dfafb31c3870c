package checking

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"loggia/blobstore"
	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/node/turns"
	"loggia/testing/faults"
	"loggia/transfer/scrub"
	"loggia/transfer/serve/servetest"
)

// step makes a turn.
func (r *rig) step(c *Checker) (*gallery.Check, error) {
	err := c.turn(r.t.Context(), r.key, slog.New(slog.DiscardHandler))
	if row := r.row(); row.Claim != nil || c.o.Claims.Active() {
		r.t.Helper()
		r.t.Errorf("a claim is left: %v", row.Claim)
	}
	if r.row().Checked == nil {
		return &gallery.Check{}, err
	}
	return r.row().Checked, err
}

func (r *rig) mustStep(c *Checker) *gallery.Check {
	r.t.Helper()
	r.now = r.now.Add(day)
	x, err := r.step(c)
	r.must(err)
	return x
}

// TestDue holds when a repository's next turn is.
func TestDue(t *testing.T) {
	r := newRig(t)
	c := r.checker(1)
	began := r.now
	for name, tc := range map[string]struct {
		row  gallery.Repository
		busy bool
		want time.Duration // after began, at the latest; below 0: no turn
	}{
		"never checked":              {row: gallery.Repository{}, want: firstLook},
		"checked":                    {row: gallery.Repository{Checked: &gallery.Check{Ended: began.Add(time.Hour)}}, want: time.Hour + day},
		"gave its place up":          {row: gallery.Repository{Checked: &gallery.Check{Ended: began, More: true}}, want: giveWay},
		"failed":                     {row: gallery.Repository{Checked: &gallery.Check{Ended: began, Failed: true}}, want: tryAgain},
		"another node is at it":      {row: gallery.Repository{Claim: &gallery.Claim{Node: node(2)}}, want: -1},
		"this node was, and is back": {row: gallery.Repository{Claim: &gallery.Claim{Node: node(1)}}, want: firstLook},
		"an operator checks":         {row: gallery.Repository{}, busy: true, want: -1},
	} {
		c.busy.Store(tc.busy)
		at, ok := c.due(&tc.row, turns.Beginning{Stored: began})
		if late := at.Sub(began.Add(tc.want)); ok != (tc.want >= 0) || ok && (late > 0 || late < -day/10) {
			t.Errorf("%s: due %v %v, want %v", name, at.Sub(began), ok, tc.want)
		}
	}
	c.busy.Store(false)
	c.o.Period = 0
	if _, ok := c.due(&gallery.Repository{}, turns.Beginning{}); ok {
		t.Error("due although regions are not to check themselves")
	}
}

// TestRestartsPostponeNoCheck: nodes that begin anew every half hour check a repository for the first time as early as one that stays.
func TestRestartsPostponeNoCheck(t *testing.T) {
	r := newRig(t)
	r.publish(1, servetest.NewDisk(servetest.Random(t), 1<<20), true)
	first := r.now
	for r.row().Checked == nil && r.now.Before(first.Add(day)) {
		c := r.checker(1)
		for end := r.now.Add(firstLook / 2); r.row().Checked == nil && r.now.Before(end); r.now = r.now.Add(time.Minute) {
			if _, err := r.step(c); err != nil && !errors.Is(err, turns.ErrLater) {
				t.Fatal(err)
			}
		}
	}
	if took := r.now.Sub(first); took > firstLook+2*time.Minute {
		t.Errorf("the first check came after %s", took)
	}
}

// TestRoundsReadEverything holds that the turns of a round read every pack once and end within the period, whoever makes them, and that a
// round begins after the other.
func TestRoundsReadEverything(t *testing.T) {
	r := newRig(t)
	rnd := servetest.Random(t)
	for n := range 6 { // each in packs of its own
		r.publish(n, servetest.NewDisk(rnd, 1<<20), true)
	}
	first := r.now
	whole := r.mustWhole()
	var read, turn int64
	for turn = 1; ; turn++ {
		x := r.mustStep(r.checker(int(1 + turn%2))) // each from a node that knows nothing
		read += x.ReadPacks
		if x.Found.Bad() > 0 || x.Packs < whole {
			t.Fatalf("turn %d: %+v", turn, x)
		}
		if x.Finished == 1 {
			if x.Cursor != 0 || !x.Whole.Equal(r.now) || !x.Round.Equal(r.now) {
				t.Errorf("the end of a round left %+v", x)
			}
			break
		}
		if turn > 10 {
			t.Fatalf("after %d turns: %+v", turn, x)
		}
	}
	if took := r.now.Sub(first); took > 10*day || read != whole {
		t.Errorf("a round of %d turns took %v and read %d of %d packs", turn, took, read, whole)
	}
	if x := r.mustStep(r.checker(1)); x.Cursor == 0 || x.Finished != 1 {
		t.Errorf("the next round began with %+v", x)
	}
}

// mustWhole counts the packs that are to be read.
func (r *rig) mustWhole() int64 {
	r.t.Helper()
	c := r.checker(1)
	repo, err := c.repository(r.key, c.o.Asked)
	r.must(err)
	j := newJob(c, r.key, repo, nothing)
	var last scrub.Progress
	j.hear = func(p scrub.Progress) { last = p }
	r.must(j.scrub(r.t.Context()))
	return last.ReadPacks
}

// TestARoundRepairs holds that damage is found within a round, and repaired where the copy has another whole one (D9).
func TestARoundRepairs(t *testing.T) {
	r := sound(t)
	c := r.checker(1)
	key := r.keys("p/")[0]
	r.flip(key)
	for turn := 1; ; turn++ {
		x := r.mustStep(c)
		if x.Repaired == 1 {
			if x.Found.Damaged != 1 || !x.LastBad.Equal(r.now) || len(x.Damaged) != 0 || r.listed(key) || r.replica(1).Whole() {
				t.Errorf("the turn that repaired: %+v", x)
			}
			break
		}
		if x.Finished > 0 || turn > 10 {
			t.Fatalf("it was not found within a round: %+v", x)
		}
	}
	if x := r.mustStep(c); x.Found.Bad() != 0 || x.Repairs != 1 || x.Repaired != 0 {
		t.Errorf("the next turn: %+v", x)
	}
}

// TestLostIsFoundByTheNextTurn: existence and lengths are looked at in each.
func TestLostIsFoundByTheNextTurn(t *testing.T) {
	r := sound(t)
	r.drop(r.keys("p/")[0])
	if x := r.mustStep(r.checker(1)); x.Found.Lost != 1 || x.Repaired != 1 {
		t.Errorf("%+v", x)
	}
}

// TestTheOnlyCopyIsLeft holds that a repair takes nothing from a copy that has no other whole one, and that what is wrong with it is told of in
// each turn until it is mended (D11).
func TestTheOnlyCopyIsLeft(t *testing.T) {
	r := newRig(t)
	rnd := servetest.Random(t)
	r.publish(1, servetest.NewDisk(rnd, 2<<20), false)
	mine := r.keys("p/")[0]
	r.publish(2, servetest.NewDisk(rnd, 2<<20), true)
	var other string
	for _, k := range r.keys("p/") {
		o, err := r.Repo.Keys.Parse(k)
		r.must(err)
		if m, _ := r.Repo.Keys.Parse(mine); o.Epoch != m.Epoch {
			other = k
		}
	}
	c := r.checker(1)
	c.o.Period = day // everything in each turn
	r.flip(mine)
	r.flip(other)
	x := r.mustStep(c)
	if x.Found.Damaged != 2 || x.Repaired != 1 || len(x.Damaged) != 1 || x.Message == "" || x.Failed {
		t.Fatalf("%+v", x)
	}
	if !r.replica(1).Whole() || r.replica(2).Whole() || !r.listed(mine) || r.listed(other) {
		t.Fatalf("the only copy is %s and listed %t, the other %s and listed %t", r.replica(1).State, r.listed(mine), r.replica(2).State, r.listed(other))
	}
	c.o.Period = 1000 * day // hardly anything
	r.mustStep(c)
	x = r.mustStep(c)
	if x.Found.Damaged != 1 || x.Repaired != 0 || len(x.Damaged) != 1 {
		t.Errorf("the next turn: %+v", x)
	}
	r.flip(mine) // it is as it was
	if x = r.mustStep(c); x.Found.Damaged != 0 || len(x.Damaged) != 0 || x.Message != "" {
		t.Errorf("once it is mended: %+v", x)
	}
}

// TestTwoRegionsAtOnce: the other region gives its copy up just before this one does. Then this one keeps what it has, index and all, until the other is
// whole again (D11).
func TestTwoRegionsAtOnce(t *testing.T) {
	r := newRig(t)
	r.publish(1, servetest.NewDisk(servetest.Random(t), 2<<20), true)
	pack := r.keys("p/")[0]
	r.flip(pack)
	c := r.checker(1)
	c.o.Period = day // everything in each turn
	r.seen = func(cmd command.Command) {
		if _, ok := cmd.(*command.ReplicaMarkLost); ok {
			r.seen = func(command.Command) {}
			r.do(&command.ReplicaMarkLost{Replica: gallery.ReplicaKey{Disk: disk(1), Region: "a", Slot: 1}, Reason: gallery.ReasonDamaged, Spare: true})
		}
	}
	if x := r.mustStep(c); x.Found.Damaged != 1 || x.Repaired != 0 || len(x.Damaged) != 1 || x.Message == "" || x.Failed {
		t.Errorf("%+v", x)
	}
	if !r.replica(1).Whole() || !r.listed(pack) {
		t.Errorf("the last whole copy is %s, and what is damaged of it is listed %t", r.replica(1).State, r.listed(pack))
	}
	r.copied(1)
	if x := r.mustStep(c); x.Repaired != 1 || x.Message != "" {
		t.Errorf("once there is another: %+v", x)
	}
	if r.replica(1).Whole() || r.listed(pack) {
		t.Errorf("it is %s, and what is damaged of it is listed %t", r.replica(1).State, r.listed(pack))
	}
}

// TestALostSegmentOfTheOnlyCopy: nothing can be done, and nothing is.
func TestALostSegmentOfTheOnlyCopy(t *testing.T) {
	r := newRig(t)
	r.publish(1, servetest.NewDisk(servetest.Random(t), 2<<20), false)
	for _, k := range r.keys("i/") {
		r.drop(k)
	}
	live := len(r.row().Segments)
	x := r.mustStep(r.checker(1))
	if x.Found.Lost == 0 || x.Found.Unindexed == 0 || x.Failed || x.Message == "" || !r.replica(1).Whole() || len(r.row().Segments) != live {
		t.Errorf("%+v, the copy is %s", x, r.replica(1).State)
	}
}

// TestTellsWithoutRepair where repair is turned off.
func TestTellsWithoutRepair(t *testing.T) {
	r := sound(t)
	r.drop(r.keys("p/")[0])
	c := r.checker(1)
	c.o.Repair = false
	for range 2 {
		if x := r.mustStep(c); x.Found.Lost != 1 || x.Repaired != 0 || !r.replica(1).Whole() {
			t.Errorf("%+v", x)
		}
	}
}

// TestOneNodeAtATime: the second finds that it was done, or that it is being done.
func TestOneNodeAtATime(t *testing.T) {
	r := sound(t)
	r.now = r.now.Add(day)
	one, two := r.checker(1), r.checker(2)
	one.pace.Began, two.pace.Began = r.now.Add(-day), r.now.Add(-day)
	r.seen = func(cmd command.Command) {
		if _, ok := cmd.(*command.RepositoryChecked); ok {
			r.seen = func(command.Command) {}
			wantKind(t, two.turn(t.Context(), r.key, slog.New(slog.DiscardHandler)), turns.ErrLater)
		}
	}
	x, err := r.step(one)
	r.must(err)
	if _, err := r.step(two); !errors.Is(err, turns.ErrLater) || !r.row().Checked.Ended.Equal(x.Ended) {
		t.Errorf("the second node: %v, %+v", err, r.row().Checked)
	}
}

// TestAStoreThatFails is told of, and tried again before the next turn is due; what was known stays.
func TestAStoreThatFails(t *testing.T) {
	r := sound(t)
	c := r.checker(1)
	r.store.Add(faults.Rule{Op: faults.List, Err: blobstore.ErrUnavailable})
	x := r.mustStep(c)
	if !x.Failed || x.Message == "" || x.Cursor != 0 {
		t.Errorf("%+v", x)
	}
	r.store.Heal()
	r.now = r.now.Add(tryAgain)
	if x, err := r.step(c); err != nil || x.Failed || x.Message != "" || x.Packs == 0 {
		t.Errorf("%+v, %v", x, err)
	}
}

// TestAStoreOfAnother: nothing is repaired by a state that is older than the store (C8).
func TestAStoreOfAnother(t *testing.T) {
	r := sound(t)
	r.do(&command.ClusterSetGeneration{Generation: 2})
	r.drop(r.keys("p/")[0])
	if x := r.mustStep(r.checker(1)); !x.Failed || x.Repaired != 0 || !r.replica(1).Whole() {
		t.Errorf("%+v", x)
	}
}

// TestYields holds that a turn gives its place up to an operator's collection, and to a stop of the node.
func TestYields(t *testing.T) {
	r := sound(t)
	c := r.checker(1)
	r.now = r.now.Add(day)
	r.seen = func(cmd command.Command) {
		if _, ok := cmd.(*command.RepositoryClaim); ok {
			r.seen = func(command.Command) {}
			r.do(&command.RepositoryAsk{Region: "b"})
		}
	}
	if x, err := r.step(c); !errors.Is(err, turns.ErrLater) || x.Packs != 0 {
		t.Errorf("beside a collection that was asked for: %+v, %v", x, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.turn(ctx, r.key, slog.New(slog.DiscardHandler)); err == nil || r.row().Claim != nil {
		t.Errorf("while the node stops: %v, claim %v", err, r.row().Claim)
	}
}

// TestALongTurnGoesOn holds that a turn which takes too long ends, and that the next one goes on from there.
func TestALongTurnGoesOn(t *testing.T) {
	r := sound(t)
	c := r.checker(1)
	r.mustStep(c) // the round is under way
	r.now = r.now.Add(20 * day)
	repo, err := c.repository(r.key, c.o.Own)
	r.must(err)
	row, err := c.o.Claims.Take(t.Context(), r.key, true, true)
	r.must(err)
	x := &turn{claim: row.Claim.Epoch, began: r.now.Add(-turnLimit - 1), log: c.o.Log}
	x.job = newJob(c, r.key, repo, nothing)
	x.from, x.to, x.told, x.looked = 0, scrub.End, x.began, x.began
	if err := x.arrived(t.Context(), scrub.End/4); !errors.Is(err, errEnough) {
		t.Fatalf("got %v", err)
	}
	x.more = true
	r.must(x.end(t.Context(), nil))
	r.must(c.o.Claims.Release(r.key, x.claim, nil))
	got := r.row().Checked
	if !got.More || got.Cursor != scrub.End/4 || got.Finished != 0 {
		t.Fatalf("%+v", got)
	}
	if from, to := c.share(got, r.now); from != scrub.End/4 || to <= from {
		t.Errorf("the next turn is from %d to %d", from, to)
	}
	r.now = r.now.Add(giveWay)
	if next, err := r.step(c); err != nil || next.More || next.Finished != 1 {
		t.Errorf("it left %+v, %v", next, err)
	}
}

// TestYieldsToTransfers holds that the region's own checks go slowly while something is written there.
func TestYieldsToTransfers(t *testing.T) {
	r := sound(t)
	w := &weigher{o: r.checker(1).o}
	want := func(n int64) {
		t.Helper()
		r.now = r.now.Add(weighEvery)
		if got := w.weight(); got != n {
			t.Errorf("weight %d, want %d", got, n)
		}
	}
	want(1)
	r.do(&command.UploadOpen{ID: id[gallery.UploadID](0x54, 9), Domain: r.key.Domain, Region: "b", Store: store(2), Node: node(1), Content: gallery.ContentDisk,
		Size: 1 << 20, Lease: lease, Life: time.Hour})
	want(yielding)
	r.now = r.now.Add(lease)
	want(1)
	k := gallery.ReplicaKey{Disk: disk(1), Region: "b", Slot: 1}
	r.do(&command.ReplicaMarkLost{Replica: k, Reason: gallery.ReasonDamaged})
	want(1)
	r.do(&command.ReplicaClaim{Replica: k, Node: node(1), Lease: lease})
	want(yielding)
}
