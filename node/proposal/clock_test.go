package proposal

import (
	"context"
	"errors"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/internal/steady"
)

// applied is a log of one member: what is proposed is applied at once.
type applied struct {
	quiet
	t     *testing.T
	m     *machine.Machine
	index uint64
}

func (a *applied) Propose(_ context.Context, data []byte) (command.Result, error) {
	a.index++
	res, ok := a.m.Apply(a.index, 1, data).(command.Result)
	if !ok {
		a.t.Fatal("the machine stopped")
	}
	return res, nil
}

// machineClock is the clock of a machine, which people may set.
type machineClock struct{ passed, set time.Duration }

var midnight = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// jumpRig is a leader with a clock of its own, and the state that it leads.
type jumpRig struct {
	*applied
	*Proposer
	clock machineClock
}

func newJumpRig(t *testing.T) *jumpRig {
	r := &jumpRig{applied: &applied{t: t, m: machine.New()}}
	now := steady.New(func() time.Time { return midnight.Add(r.clock.passed + r.clock.set) }, func() time.Duration { return r.clock.passed },
		func() time.Time { return r.m.View().Meta().Time })
	r.Proposer = &Proposer{Self: "self", Log: r.applied, Now: now.Now, Version: func() uint32 { return command.CurrentVersion }}
	r.person(&command.RegionPut{Region: gallery.Region{Name: "a"}})
	return r
}

// person has the leader propose a command.
func (r *jumpRig) person(c command.Command) {
	r.t.Helper()
	res, err := r.Proposer.Propose(r.t.Context(), command.Header{}, c)
	if err == nil {
		err = res.Failure()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// report is a report of another node, whose clock is wrong by so much.
func (r *jumpRig) report(wrong time.Duration) {
	r.t.Helper()
	data, err := command.Encode(command.Header{Time: midnight.Add(r.clock.passed + wrong)}, &command.RegionPut{Region: gallery.Region{Name: "b"}})
	if err == nil {
		_, err = r.Accept(r.t.Context(), "other", data)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestTimeOfTheLogDoesNotJump sets clocks by an hour, there and back. All deadlines of claims and uploads, the collector's grace time and what is remembered of
// requests are counted in the time of the state: it goes on at its pace.
func TestTimeOfTheLogDoesNotJump(t *testing.T) {
	for name, jump := range map[string]func(r *jumpRig, by time.Duration){
		"of the leader":            func(r *jumpRig, by time.Duration) { r.clock.set = by },
		"of a node that reports":   func(r *jumpRig, by time.Duration) { r.report(by) },
		"of the leader and a node": func(r *jumpRig, by time.Duration) { r.clock.set = by; r.report(by) },
	} {
		for _, by := range []time.Duration{time.Hour, -time.Hour} {
			r := newJumpRig(t)
			state := func() time.Time { return r.m.View().Meta().Time }
			for minute := range 30 {
				if minute == 10 {
					jump(r, by)
				}
				was := state()
				r.clock.passed += time.Minute
				r.person(&command.RegionPut{Region: gallery.Region{Name: "a"}})
				if d := state().Sub(was); d < 45*time.Second || d > 75*time.Second {
					t.Fatalf("the clock %s jumps by %s: in minute %d the state's time goes on by %s", name, by, minute, d)
				}
			}
		}
	}
}

const (
	theStore  gallery.StoreID  = "eeeeeeee-0000-4000-8000-000000000001"
	theUpload gallery.UploadID = "ffffffff-0000-4000-8000-000000000001"
	theNode   gallery.NodeID   = someID
)

// do proposes a command that must succeed and returns its value.
func do[T any](r *jumpRig, c command.Command) *T {
	r.t.Helper()
	res, err := r.Proposer.Propose(r.t.Context(), command.Header{}, c)
	v, err := As[T](res, errors.Join(err, res.Failure()))
	if err != nil {
		r.t.Fatalf("%s: %v", c.Kind(), err)
	}
	return &v
}

// TestJumpsEndNothing sets clocks while a node collects and another one takes in an upload: neither loses its claim, nothing may be deleted before its
// time, and all of it still ends in time.
func TestJumpsEndNothing(t *testing.T) {
	const lease, grace = 2 * time.Minute, 30 * time.Minute
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		r := newJumpRig(t)
		r.person(&command.ClusterInit{Cluster: gallery.Cluster{ID: someID, Tenant: someID, Subscription: someID, Version: command.CurrentVersion}})
		r.person(&command.NodeJoin{Node: gallery.Node{ID: theNode, Region: "a", Address: "127.0.0.1:1", Seat: gallery.SeatVoter}})
		r.person(&command.StorePut{Store: gallery.Store{ID: theStore, Region: "a", Name: "main", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
		k := gallery.RepositoryKey{Store: theStore, Slot: 1, Domain: gallery.DomainOf(someID)}
		claim := do[gallery.Repository](r, &command.RepositoryClaim{Repository: k, Node: theNode, Lease: lease}).Claim.Epoch
		r.person(&command.RepositoryCondemn{Repository: k, List: digest.Of([]byte("list")), Claim: claim, Marked: r.index, Began: r.index})
		sweep := &command.RepositorySweep{Repository: k, Claim: claim, Epoch: r.index, Grace: grace}
		r.person(&command.UploadOpen{ID: theUpload, Domain: k.Domain, Region: "a", Store: theStore, Node: theNode, Content: gallery.ContentDisk, Size: 512, Lease: lease, Life: grace})

		r.clock.set = by
		r.report(by)
		r.clock.passed += time.Minute
		if n := do[command.Expired](r, &command.ExpireClaims{}).Count; n != 0 {
			t.Errorf("a jump by %s ended %d claims", by, n)
		}
		if n := do[command.Expired](r, &command.ExpireUploads{}).Count; n != 0 {
			t.Errorf("a jump by %s ended %d uploads", by, n)
		}
		res, err := r.Proposer.Propose(t.Context(), command.Header{}, sweep)
		if err = errors.Join(err, res.Failure()); !errors.Is(err, gallery.ErrUnavailable) {
			t.Errorf("after a jump by %s leave to delete: %v", by, err)
		}
		r.clock.passed += grace
		r.person(&command.RegionPut{Region: gallery.Region{Name: "a"}})
		r.clock.passed += grace / 2 // the clock may have gone at three quarters of its pace
		r.person(sweep)
		if n := do[command.Expired](r, &command.ExpireClaims{}).Count; n != 1 {
			t.Errorf("after a jump by %s and its time %d claims ended", by, n)
		}
		if n := do[command.Expired](r, &command.ExpireUploads{}).Count; n != 1 {
			t.Errorf("after a jump by %s and its time %d uploads ended", by, n)
		}
	}
}
