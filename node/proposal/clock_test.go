package proposal

import (
	"context"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/gallery"
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
