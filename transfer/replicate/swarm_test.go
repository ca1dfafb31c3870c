package replicate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/chunk"
	"loggia/transfer/intake"
	"loggia/transfer/repository"
	"loggia/transfer/serve"
	"loggia/transfer/serve/servetest"
)

// line carries bytes one after the other at a rate.
type line struct {
	mu   sync.Mutex
	free time.Time
	rate float64 // bytes per second
	sum  atomic.Int64
}

// pass returns when n more bytes are through.
func (l *line) pass(t time.Time, n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum.Add(int64(n))
	if l.free.Before(t) {
		l.free = t
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return l.free
}

// site is a region of a swarm: it holds the disk, or makes a copy of it.
type site struct {
	*servetest.Region
	name     string
	up, down line
	dead     atomic.Bool

	mu    sync.Mutex
	held  serve.Holding // nil: nothing yet
	share *Share        // nil: whole, or nothing yet
	whole bool
	began time.Time
	ended time.Time
	last  Progress
	w     *repository.Writer
}

// swarm is an origin and regions that copy from it and each other, over lines with a rate and a distance.
type swarm struct {
	t    *testing.T
	disk servetest.Disk
	v    intake.Result
	rtt  time.Duration

	mu    sync.Mutex
	sites []*site // guarded by mu; in its order of joining
}

const swarmRate = 1e6

func newSwarm(t *testing.T, size, targets int) *swarm {
	r := servetest.Random(t)
	s := &swarm{t: t, disk: servetest.NewDisk(r, size), rtt: 20 * time.Millisecond}
	origin := s.add("origin")
	s.v = origin.Publish(s.disk, servetest.Params())
	origin.held, origin.whole = origin.View(), true
	for i := range targets {
		s.add(fmt.Sprintf("region-%d", i))
	}
	return s
}

func (s *swarm) add(name string) *site {
	x := &site{Region: servetest.New(s.t, servetest.Memory()), name: name}
	x.up.rate, x.down.rate = swarmRate, swarmRate
	s.sites = append(s.sites, x)
	return x
}

// way is one site as another sees it.
type way struct {
	s        *swarm
	from, to *site
}

func (w *way) Name() string   { return w.from.name }
func (w *way) Region() string { return w.from.name }

// packet is a frame on its way.
type packet struct {
	refs   []chunk.Ref
	stored []byte
}

func (w *way) Fetch(ctx context.Context, want []chunk.ID, fn func([]Arrived) error) ([]chunk.ID, error) {
	pause(ctx, nil, w.s.rtt)
	if w.silent(ctx) {
		return nil, ctx.Err()
	}
	w.from.mu.Lock()
	held := w.from.held
	w.from.mu.Unlock()
	if held == nil {
		return nil, errors.New("no copy here")
	}
	coming := make(chan packet, 4) // the window
	g, ctx := errgroup.WithContext(ctx)
	var missing []chunk.ID
	g.Go(func() (err error) {
		defer close(coming)
		o := serve.Options{Pool: w.from.Reads, Decoder: w.from.Decoder, Encoder: w.from.Encoder}
		missing, err = serve.Frames(ctx, held, want, o, carrier(func(refs []chunk.Ref, stored []byte) error {
			pause(ctx, nil, time.Until(w.from.up.pass(time.Now(), len(stored))))
			if w.silent(ctx) {
				return ctx.Err()
			}
			select {
			case coming <- packet{slices.Clone(refs), bytes.Clone(stored)}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}))
		return err
	})
	g.Go(func() error {
		for p := range coming {
			pause(ctx, nil, time.Until(w.to.down.pass(time.Now(), len(p.stored))))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := fn([]Arrived{{p.stored, p.refs}}); err != nil {
				return err
			}
		}
		return nil
	})
	return missing, g.Wait()
}

// silent waits for ever where the site is dead.
func (w *way) silent(ctx context.Context) bool {
	if w.from.dead.Load() {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

type carrier func(refs []chunk.Ref, stored []byte) error

func (c carrier) Frame(refs []chunk.Ref, stored []byte) error { return c(refs, stored) }
func (c carrier) Missing([]chunk.ID) error                    { return nil }

// member is a way to a site that makes a copy.
type memberWay struct{ way }

func (w *memberWay) Have(ctx context.Context, m Mark) (Have, error) {
	pause(ctx, nil, w.s.rtt)
	if w.silent(ctx) {
		return Have{}, ctx.Err()
	}
	w.from.mu.Lock()
	share := w.from.share
	w.from.mu.Unlock()
	if share == nil {
		pause(ctx, nil, time.Second)
		return Have{Mark: m}, nil
	}
	return share.Since(ctx, m, 3*time.Second), nil
}

// sources are what the log would name for a site.
func (s *swarm) sources(to *site) (out []Source) {
	s.mu.Lock()
	sites := s.sites
	s.mu.Unlock()
	for _, x := range sites {
		if x == to {
			continue
		}
		x.mu.Lock()
		whole := x.whole
		x.mu.Unlock()
		if whole {
			out = append(out, &way{s, x, to})
		} else {
			out = append(out, &memberWay{way{s, x, to}})
		}
	}
	return out
}

// join makes a site known to the others.
func (s *swarm) join(x *site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sites = append(slices.Clone(s.sites), x)
}

// copy makes the copy of a site until it is whole, or dead.
func (s *swarm) copy(ctx context.Context, x *site, adopt ...uint64) error {
	v := x.View()
	w := x.Writer(v, adopt...)
	share := NewShare(w.Epoch())
	x.mu.Lock()
	x.held, x.share, x.w, x.began = w, share, w, time.Now()
	x.mu.Unlock()
	m := &meterOf{t: s.t}
	o := optionsFor(s.t, x.Region, s.v, m, s.sources(x)...)
	o.Region, o.Share, o.Refresh = x.name, share, func() []Source { return s.sources(x) }
	err := Run(ctx, NewTarget(v, w), o)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended, x.last = time.Now(), m.last
	x.whole = err == nil
	return err
}

// all runs copies of the sites at once and waits.
func (s *swarm) all(sites ...*site) {
	var work sync.WaitGroup
	for _, x := range sites {
		work.Go(func() {
			if err := s.copy(s.t.Context(), x); err != nil {
				s.t.Errorf("%s: %v", x.name, err)
			}
		})
	}
	work.Wait()
}

// settle commits all copies and compares them.
func (s *swarm) settle(sites ...*site) {
	for _, x := range sites {
		x.Finish(x.w, s.v)
		x.Check(s.v, s.disk)
	}
}

// figures returns how many copies the origin sent, and how long the last of the sites took beside one copy alone.
func (s *swarm) figures(sites ...*site) (sent, took float64) {
	var last time.Time
	first := sites[0].began
	for _, x := range sites {
		if x.ended.After(last) {
			last = x.ended
		}
		p := x.last
		s.t.Logf("%s: %s, %d bytes over the wire, %d wasted, %d retries", x.name, x.ended.Sub(x.began).Round(time.Millisecond), p.Wire, p.Wasted, p.Retries)
		for _, from := range p.Sources {
			s.t.Logf("    %-10s %9d %s", from.Name, from.Bytes, from.Failed)
		}
	}
	one := float64(sites[0].last.Wire - sites[0].last.Wasted)
	return float64(s.sites[0].up.sum.Load()) / one, last.Sub(first).Seconds() / (one / swarmRate)
}

func TestOriginSendsOnce(t *testing.T) {
	for _, n := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d regions", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Its pieces are spans: the fewer there are, the longer the last ones count.
				s := newSwarm(t, 64<<20, n)
				s.all(s.sites[1:]...)
				sent, took := s.figures(s.sites[1:]...)
				t.Logf("origin sent %.2f copies, the last region took %.2f of a copy's time", sent, took)
				// A disk has at most 1.3 and 1.5, which the bench of the fan-out shows on 384 MiB. Of some 20 pieces the last one is 5 %:
				// over 10 seeds 1.05 to 1.12 copies, 1.24 to 1.45 of the time.
				if sent > 1.3 || took > 1.65 {
					t.Errorf("want at most 1.3 and 1.65")
				}
				s.settle(s.sites[1:]...)
			})
		})
	}
}

// One region dies in the middle, in silence; another comes when the others are half done.
func TestARegionDiesAndOneJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwarm(t, 48<<20, 4)
		dying, joining := s.sites[2], s.sites[4]
		s.sites = s.sites[:4]
		live := []*site{s.sites[1], s.sites[3]}
		half := time.Duration(float64(s.v.Stored) / swarmRate / 2 * float64(time.Second))
		var work sync.WaitGroup
		work.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), half)
			defer cancel()
			if err := s.copy(ctx, dying); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the dying region: %v", err)
			}
			dying.dead.Store(true)
		})
		work.Go(func() { s.all(live...) })
		work.Go(func() {
			pause(t.Context(), nil, half)
			s.join(joining)
			s.all(joining)
		})
		work.Wait()
		live = append(live, joining)
		sent, took := s.figures(live...)
		t.Logf("origin sent %.2f copies, all was done after %.2f of a copy's time", sent, took)
		// The region that died took with it what nobody had from it, and the one that joined has 1.3 copies' time ahead of it then:
		// over 7 seeds 1.25 to 1.38 copies, 1.69 to 2.00 of the time.
		if sent > 1.6 || took > 2.5 {
			t.Errorf("want at most 1.6 and 2.5")
		}
		s.settle(live...)
	})
}

// A member whose lines are slow does not hold the others up, and does not make them take all from the origin.
func TestASlowRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwarm(t, 48<<20, 4)
		slow := s.sites[4]
		slow.up.rate, slow.down.rate = swarmRate/10, swarmRate/10
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() {
			if err := s.copy(ctx, slow); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		s.all(s.sites[1:4]...)
		cancel()
		work.Wait()
		sent, took := s.figures(s.sites[1:4]...)
		t.Logf("origin sent %.2f copies, the three took %.2f of a copy's time", sent, took)
		if sent > 1.6 || took > 2 {
			t.Errorf("want at most 1.6 and 2")
		}
		s.settle(s.sites[1:4]...)
	})
}
