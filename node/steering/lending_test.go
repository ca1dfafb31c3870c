package steering

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loggia/api/peer"
	"loggia/gallery"
	"loggia/transfer/pace"
)

// threes are three nodes of region a with a limit to region b.
const threes = 10 * mb

func newThree(t *testing.T) *rig {
	r := newRigOf(t, []gallery.RegionName{"a", "a", "a", "b"}, 1, 2, 3)
	r.limit(gallery.LimitKey{From: "a", To: "b"}, threes)
	return r
}

// watch looks at what the sinks got, for as long as it takes, and returns a function that fails the test where any ten seconds had more than the limit and 5 %.
func watch(t *testing.T, sinks ...*sink) (stop func()) {
	const step, window = 250 * time.Millisecond, 10 * time.Second
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var sums []int64
		began := time.Now()
		for tick := time.NewTicker(step); ; {
			sum := int64(0)
			for _, s := range sinks {
				sum += s.n.Load()
			}
			if sums = append(sums, sum); len(sums) > int(window/step) {
				if got := float64(sum-sums[len(sums)-1-int(window/step)]) * 1.03 / window.Seconds(); got > 1.05*threes {
					t.Errorf("after %s: %.0f bytes/s in the last 10 s", time.Since(began), got)
				}
			}
			select {
			case <-tick.C:
			case <-end:
				tick.Stop()
				return
			}
		}
	}()
	return func() { close(end); <-done }
}

func TestIdleNodesLeaveTheirPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newThree(t)
		one, stopOne := r.send(1, 4, only)
		time.Sleep(3 * time.Second)
		within(t, "alone", rate(one)[0], threes)
		two, stopTwo := r.send(2, 4, only)
		got := rate(one, two) // from the first moment on
		within(t, "the sum while the second begins", got[0]+got[1], threes)
		got = rate(one, two)
		within(t, "the second's part", got[1], threes/2)
		three, stopThree := r.send(3, 4, only)
		got = rate(one, two, three)
		within(t, "the sum while the third begins", got[0]+got[1]+got[2], threes)
		got = rate(one, two, three)
		for i, g := range got {
			within(t, "part of node "+strconv.Itoa(i+1), g, threes/3.)
		}
		stopOne()
		time.Sleep(2 * silence)
		got = rate(two, three)
		within(t, "the sum of two", got[0]+got[1], threes)
		within(t, "half", got[0], threes/2)
		stopTwo()
		stopThree()
		r.end()
	})
}

// A node that needs less than its share lends the rest, and gets it back when it needs more.
func TestDemandChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newThree(t)
		r.limit(gallery.LimitKey{FromNode: node(2)}, mb) // what holds node 2 up is not the region's limit
		one, stopOne := r.send(1, 4, only)
		two, stopTwo := r.send(2, 4, only)
		defer watch(t, one, two)()
		time.Sleep(10 * time.Second)
		got := rate(one, two)
		if got[0] < 7.5*mb {
			t.Errorf("beside one that uses a tenth: %.0f and %.0f bytes/s", got[0], got[1])
		}
		within(t, "the one that is held up", got[1], mb)
		r.limit(gallery.LimitKey{FromNode: node(2)}, 100*mb)
		time.Sleep(5 * time.Second)
		got = rate(one, two)
		within(t, "half each", got[1], threes/2)
		r.limit(gallery.LimitKey{From: "a", To: "b"}, threes/5)
		time.Sleep(time.Second)
		got = rate(one, two)
		within(t, "the sum of a smaller limit", got[0]+got[1], threes/5)
		stopOne()
		stopTwo()
		r.end()
	})
}

// A node that lent what it had, and then hears nobody, begins with little and has its even share after the silence.
func TestACutOffNodeHasItsEvenShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newThree(t)
		one, stopOne := r.send(1, 4, only)
		time.Sleep(5 * time.Second)
		within(t, "alone", rate(one)[0], threes)
		more := &sink{}
		stop := watch(t, one, more)
		r.cut(3)
		stopThree := r.into(more, 3, 4, only)
		time.Sleep(2 * silence)
		got := rate(one, more)
		within(t, "the one cut off", got[1], threes/3.)
		within(t, "the others with what they lend", got[0], threes*2/3.)
		r.heal(3)
		time.Sleep(2 * silence)
		got = rate(one, more)
		within(t, "the sum when all is well again", got[0]+got[1], threes)
		within(t, "half each", got[1], threes/2)
		stop()
		stopOne()
		stopThree()
		r.end()
	})
}

// Two nodes lent what they had, hear nobody from a moment on, and begin in that moment; as the processes that they were, or as others that know of no loan.
func TestNodesThatLentAreCutOff(t *testing.T) {
	for name, again := range map[string]bool{"the same processes": false, "other processes": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRigOf(t, []gallery.RegionName{"a", "a", "a", "b"}, 1)
				r.limit(gallery.LimitKey{From: "a", To: "b"}, threes)
				kill := map[int]func(){2: r.start(2), 3: r.start(3)}
				one, stopOne := r.send(1, 4, only)
				sinks := []*sink{one, {}, {}}
				stop := watch(t, sinks...)
				time.Sleep(20 * time.Second)
				var stops []func()
				for n := 2; n <= 3; n++ {
					r.cut(n)
					if again {
						kill[n]()
						r.start(n)
					}
					stops = append(stops, r.into(sinks[n-1], n, 4, only))
				}
				time.Sleep(2 * silence)
				for i, g := range rate(sinks...) {
					within(t, "part of node "+strconv.Itoa(i+1), g, threes/3.)
				}
				stop()
				stopOne()
				for _, f := range stops {
					f()
				}
				r.end()
			})
		})
	}
}

// Whatever begins, ends, dies, comes back and is cut off: in no ten seconds there is more than the limit.
func TestNeverMoreThanTheLimit(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		r := newRigOf(t, []gallery.RegionName{"a", "a", "a", "b"})
		r.limit(gallery.LimitKey{From: "a", To: "b"}, threes)
		var sinks [3]*sink
		var kill, pause [3]func()
		for i := range 3 {
			sinks[i] = &sink{}
			kill[i] = r.start(i + 1)
		}
		stop := watch(t, sinks[:]...)
		for range 200 {
			i := rnd.IntN(3)
			switch rnd.IntN(6) {
			case 0:
				r.cut(i + 1)
			case 1:
				r.heal(i + 1)
			case 2: // another process, which knows nothing of what was lent
				if pause[i] != nil {
					pause[i]()
					pause[i] = nil
				}
				kill[i]()
				kill[i] = r.start(i + 1)
			default:
				if pause[i] != nil {
					pause[i]()
					pause[i] = nil
				} else {
					pause[i] = r.into(sinks[i], i+1, 4, only)
				}
			}
			time.Sleep(time.Duration(rnd.IntN(4000)) * time.Millisecond)
		}
		stop()
		for i := range 3 {
			if pause[i] != nil {
				pause[i]()
			}
		}
		r.end()
	})
}

// What arrives at a region is divided like what leaves it: a node that takes nothing in leaves its part.
func TestReceiversDivideByDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigOf(t, []gallery.RegionName{"a", "b", "b"}, 1, 2, 3)
		r.limit(gallery.LimitKey{To: "b"}, threes)
		var got [2]sink
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		take := func(i int) {
			n, end := r.of(node(i + 2)).Begin(node(1))
			out, in := io.Pipe()
			w, err := r.of(node(1)).Outgoing(ctx, node(i+2), peer.Asked{Disk: "d", Class: pace.Normal, Sharers: n}, in)
			if err != nil {
				t.Fatal(err)
			}
			work.Go(func() {
				defer end()
				defer in.Close()
				defer w.Done()
				for frame := make([]byte, 64<<10); err == nil && ctx.Err() == nil; {
					_, err = w.Write(frame)
				}
			})
			work.Go(func() {
				defer out.Close()
				body, over := r.of(node(i+2)).Arriving(ctx, node(1), peer.Asked{Disk: "d"}, out)
				defer over()
				_, _ = io.Copy(&got[i], body)
			})
		}
		take(0)
		time.Sleep(10 * time.Second)
		within(t, "alone", rate(&got[0])[0], threes)
		take(1)
		stop := watch(t, &got[0], &got[1])
		time.Sleep(10 * time.Second)
		each := rate(&got[0], &got[1])
		within(t, "the sum", each[0]+each[1], threes)
		within(t, "half each", each[1], threes/2)
		stop()
		cancel()
		work.Wait()
		r.end()
	})
}
