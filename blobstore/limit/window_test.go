package limit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/memory"
)

// service is a store at a distance that works on some requests at once, lets others wait, and refuses beyond that.
type service struct {
	blobstore.Store
	distance, work time.Duration
	servers        chan struct{}
	refuse         int64 // requests; 0: never

	inside, most atomic.Int64
}

func newService(distance, work time.Duration, servers int, refuse int64) *service {
	return &service{Store: memory.New(time.Now, 0), distance: distance, work: work, servers: make(chan struct{}, servers), refuse: refuse}
}

func (s *service) Put(ctx context.Context, key string, data []byte) error {
	time.Sleep(s.distance)
	n := s.inside.Add(1)
	defer s.inside.Add(-1)
	if s.refuse > 0 && n > s.refuse {
		return fmt.Errorf("put %s: %w", key, blobstore.ErrThrottled)
	}
	s.most.Store(max(s.most.Load(), n))
	s.servers <- struct{}{}
	time.Sleep(s.work)
	<-s.servers
	return nil
}

// load keeps so many goroutines putting for a while and returns how many puts succeeded.
func load(t *testing.T, l *Limiter, s blobstore.Store, workers int, d time.Duration) (done int64) {
	t.Helper()
	st := NewStore(s, l)
	var ok atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for range workers {
		wg.Go(func() {
			for time.Now().Before(end) {
				if st.Put(t.Context(), "k", make([]byte, 1000)) == nil {
					ok.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return ok.Load()
}

func TestWindowFillsALongWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		load(t, l, newService(200*time.Millisecond, time.Millisecond, 64, 0), 80, time.Minute)
		if _, n := l.Windows(); n != defaultRequests {
			t.Errorf("window of %d requests to a store far away that serves all of them at once, want %d", n, defaultRequests)
		}
	})
}

func TestWindowIsNoLongerThanTheStoreNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		const servers = 4
		done := load(t, l, newService(0, 100*time.Millisecond, servers, 0), 80, time.Minute)
		if _, n := l.Windows(); n < servers || n > servers+manyWaiting+1 {
			t.Errorf("window of %d requests for a store that serves %d at once", n, servers)
		}
		if full := int64(servers * 600); done < full*99/100 {
			t.Errorf("%d puts, the store could have served %d", done, full)
		}
	})
}

func TestThrottlingHalvesTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		s := newService(50*time.Millisecond, 50*time.Millisecond, 64, 5)
		tries := &counting{Store: s}
		done := load(t, l, tries, 40, 2*time.Minute)
		if _, n := l.Windows(); n > 10 {
			t.Errorf("window of %d requests to a store that refuses the sixth", n)
		}
		// Probing goes on, so that some are refused now and then.
		if refused := tries.n.Load() - done; refused > done/5 {
			t.Errorf("%d of %d puts were refused", refused, tries.n.Load())
		}
	})
}

// counting counts puts.
type counting struct {
	blobstore.Store
	n atomic.Int64
}

func (c *counting) Put(ctx context.Context, key string, data []byte) error {
	c.n.Add(1)
	return c.Store.Put(ctx, key, data)
}

func TestWindowAfterTheWayGrewLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		s := newService(10*time.Millisecond, time.Millisecond, 64, 0)
		load(t, l, s, 80, 10*time.Second)
		s.distance = 200 * time.Millisecond
		load(t, l, s, 80, 3*keepBest)
		if _, n := l.Windows(); n != defaultRequests {
			t.Errorf("window of %d requests, want %d: the distance is no queue", n, defaultRequests)
		}
	})
}

func TestWindowIgnoresShortWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		load(t, l, newService(10*time.Microsecond, 2*time.Millisecond, 16, 0), 1, time.Second)
		load(t, l, newService(10*time.Microsecond, 2*time.Millisecond, 16, 0), 80, 10*time.Second)
		if _, n := l.Windows(); n < 32 {
			t.Errorf("window of %d requests to a store that answers within milliseconds", n)
		}
	})
}

func TestWhoGivesUpLosesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(1)
		held, err := w.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := w.acquire(ctx); err == nil {
					t.Error("two slots of one")
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		held.release()
		held.release() // once counts
		again, err := w.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again.release()
		if n, _ := w.state(); n != 0 {
			t.Errorf("%d in flight, want none", n)
		}
	})
}
