package turns

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/gallery"
	"loggia/internal/digest"
)

const (
	aTenant = gallery.TenantID("aaaaaaaa-0000-4000-8000-000000000001")
	aStore  = gallery.StoreID("55555555-0000-4000-8000-000000000001")
	aNode   = gallery.NodeID("66666666-0000-4000-8000-000000000001")
	period  = 6 * time.Hour
)

// log is a machine with a region, a node and a store.
type log struct {
	t     *testing.T
	m     *machine.Machine
	index uint64
	fail  error // of reports
}

func newLog(t *testing.T) *log {
	l := &log{t: t, m: machine.New()}
	l.do(&command.ClusterInit{Cluster: gallery.Cluster{ID: "cccccccc-0000-4000-8000-000000000001", Tenant: aTenant, Subscription: "bbbbbbbb-0000-4000-8000-000000000001",
		Generation: 1, Version: command.CurrentVersion}})
	l.do(&command.NodeJoin{Node: gallery.Node{ID: aNode, Region: "a", Address: "127.0.0.1:1", Seat: gallery.SeatVoter}, Hash: digest.Of(nil)})
	l.do(&command.StorePut{Store: gallery.Store{ID: aStore, Region: "a", Name: "main", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
	return l
}

// Report implements Reporter.
func (l *log) Report(_ context.Context, c command.Command) (command.Result, error) {
	if l.fail != nil {
		return command.Result{}, l.fail
	}
	b, err := command.Encode(command.Header{Time: time.Now()}, c)
	if err != nil {
		return command.Result{}, err
	}
	l.index++
	res, ok := l.m.Apply(l.index, 1, b).(command.Result)
	if !ok {
		return res, fmt.Errorf("entry %d is fatal", l.index)
	}
	return res, res.Failure()
}

func (l *log) do(c command.Command) command.Result {
	l.t.Helper()
	res, err := l.Report(l.t.Context(), c)
	if err != nil {
		l.t.Fatalf("%s: %v", c.Kind(), err)
	}
	return res
}

// givenUp is a publish that somebody began and gave up: the first garbage of its repository.
func (l *log) givenUp(n int) gallery.RepositoryKey {
	l.t.Helper()
	id := gallery.UploadID(fmt.Sprintf("77777777-0000-4000-8000-%012d", n))
	g := l.do(&command.UploadOpen{ID: id, Domain: gallery.DomainOf(aTenant), Region: "a", Store: aStore, Node: aNode, Content: gallery.ContentDisk, Size: 512,
		Lease: time.Minute, Life: time.Hour}).Value.(*command.UploadGranted)
	l.do(&command.UploadAbandon{ID: id})
	return g.Upload.Repository()
}

// TestRestartsPostponeNothing: a node that begins anew far more often than its duty's period does the duty all the same.
func TestRestartsPostponeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		k := l.givenUp(1)
		began := time.Now()
		var took time.Duration
		for took == 0 && time.Since(began) < 4*period {
			life, end := context.WithTimeout(t.Context(), time.Hour)
			pace := Pace{Self: aNode, Began: time.Now()}
			loop := New(Options{Region: "a", Watched: l.m.Watched, Has: func(gallery.StoreID) bool { return true }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
				Due: func(r *gallery.Repository, b Beginning, _ *gallery.Cluster) (time.Time, bool) {
					return pace.Due(r.Key, b.Stored, period), true
				},
				Turn: func(_ context.Context, got gallery.RepositoryKey, _ *slog.Logger) error {
					if got != k {
						t.Errorf("a turn of %v, want %v", got, k)
					}
					took = time.Since(began)
					end()
					return nil
				}})
			if err := loop.Run(life); err != nil {
				t.Error(err)
			}
			end()
		}
		if took == 0 || took > period || took < period-period/earlyPart {
			t.Errorf("the first turn came after %s, want at most %s", took, period)
		}
	})
}

// TestBeginnings: the first garbage counts until it is collected, and more of it postpones nothing.
func TestBeginnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		if b := Beginnings(l.m.View(), aStore); len(b) != 0 {
			t.Errorf("an empty store has %v", b)
		}
		first := time.Now()
		k := l.givenUp(1)
		time.Sleep(time.Hour)
		l.givenUp(2)
		if b := Beginnings(l.m.View(), aStore)[k]; !b.Stored.Equal(first) || !b.Garbage.Equal(first) {
			t.Errorf("%+v, want %v", b, first)
		}
	})
}

// TestPace: turns are on time, never all at once, and the same for a node that begins anew.
func TestPace(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	due, late := map[time.Time]bool{}, map[time.Time]bool{}
	const repositories = 50
	for n := range repositories {
		k := gallery.RepositoryKey{Store: aStore, Slot: n, Domain: "d"}
		p := Pace{Self: aNode, Began: began}
		at := p.Due(k, began, period)
		if at.After(began.Add(period)) || at.Before(began.Add(period-period/earlyPart)) {
			t.Errorf("due %s after", at.Sub(began))
		}
		anew := Pace{Self: aNode, Began: began.Add(period / 2)}
		if again := anew.Due(k, began, period); !again.Equal(at) {
			t.Errorf("due %s after for a node that has begun anew, %s before", again.Sub(began), at.Sub(began))
		}
		overdue := p.Due(k, began.Add(-10*period), period)
		if overdue.Before(began) || overdue.After(began.Add(settling)) {
			t.Errorf("what was overdue is due %s after the start", overdue.Sub(began))
		}
		due[at], late[overdue] = true, true
	}
	if len(due) < repositories*9/10 || len(late) < repositories*9/10 {
		t.Errorf("%d repositories are due at %d moments, and at %d where they were overdue", repositories, len(due), len(late))
	}
}
