package replicate

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
)

// distant is a source of which a distance is said.
type distant struct {
	Source
	far uint32
}

func (d *distant) Distance() uint32 { return d.far }

// paced delivers at a rate for each request, in bytes per second.
func paced(s Source, rate float64) *source {
	return &source{Source: s, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
		return s.Fetch(ctx, want, singly(func(stored []byte, refs []chunk.Ref) error {
			pause(ctx, nil, time.Duration(float64(len(stored))/rate*float64(time.Second)))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fn(stored, refs)
		}))
	}}
}

// neighbours are whole holders with their rates and distances.
func neighbours(w *world, rates []float64, far ...uint32) (all []Source) {
	w.to.Scratch = buffer.New(128 << 20) // each answer of these holders takes 5 MiB of it
	for i, e := range rates {
		d := &distant{Source: paced(newHolder(fmt.Sprint("s", i), w.from, w.to), e)}
		if len(far) > 0 {
			d.far = far[i]
		}
		all = append(all, d)
	}
	return all
}

const (
	fast = 5e6
	slow = 4e5
)

// A copy that is over before much can be measured comes from the nearest.
func TestTheNearestIsPreferred(t *testing.T) {
	var sent [4]int64
	for range 6 { // in one copy of a few pieces their sizes decide
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 8<<20)
			p, err := once(t, w, nil, neighbours(w, []float64{slow, slow, slow, slow}, 5, 40, 0, 0)...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range sent {
				sent[i] += from(p, fmt.Sprint("s", i)).Bytes
			}
		})
	}
	for i := 1; i < len(sent); i++ {
		if sent[0] <= sent[i] {
			t.Errorf("the nearest sent %d bytes, the source at place %d %d", sent[0], i, sent[i])
		}
	}
	t.Logf("bytes by source: %v", sent)
}

// Without distances who stands by is not asked.
func TestWithoutDistancesWhoStandsByIsSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 48<<20)
		p, err := once(t, w, nil, neighbours(w, []float64{fast, fast, fast, fast})...)
		if err != nil {
			t.Fatal(err)
		}
		if n := from(p, "s3").Bytes; n != 0 {
			t.Errorf("%d bytes came from who stands by", n)
		}
	})
}

// A source that is near and slow loses to one that is far and fast, also where all that are asked are near: the next copy knows from the beginning.
func TestFarAndFastWins(t *testing.T) {
	for name, c := range map[string]struct {
		rates []float64
		far   []uint32
		fast  string
	}{
		"one of two":                  {[]float64{slow, fast}, []uint32{1, 90}, "s1"},
		"the one that would stand by": {[]float64{slow, slow, slow, fast}, []uint32{1, 2, 3, 90}, "s3"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 24<<20)
				w.to.Scratch = buffer.New(64 << 20) // each answer of these holders takes 5 MiB of it
				speeds := NewSpeeds()
				all := neighbours(w, c.rates, c.far...)
				know := func(o *Options) { o.Speeds = speeds }
				p, err := once(t, w, know, all...)
				if err != nil {
					t.Fatal(err)
				}
				first := from(p, c.fast).Bytes
				t.Logf("%d of %d bytes came from the fast one", first, p.Wire)
				if first < p.Wire/4 { // a near one has to be measured first
					t.Errorf("the fast one sent %d of %d bytes: %+v", first, p.Wire, p.Sources)
				}
				w2 := newWorld(t, 24<<20)
				w2.to.Scratch = buffer.New(64 << 20)
				p, err = once(t, w2, know, neighbours(w2, c.rates, c.far...)...)
				if err != nil {
					t.Fatal(err)
				}
				if again := from(p, c.fast).Bytes; again < p.Wire/2 {
					t.Errorf("the next time it sent %d of %d bytes, after %d", again, p.Wire, first)
				}
			})
		})
	}
}

// known is a whole holder of which something was measured.
func known(name string, far uint32, rate float64, at time.Time) *place {
	p := &place{key: name, speed: &speed{rate: rate, at: at}}
	p.far.Store(far)
	return p
}

// What is not measured is asked by its distance: of the farther ones one thing at a time.
func TestColdStart(t *testing.T) {
	now := time.Unix(1e9, 0)
	for name, c := range map[string]struct {
		far  [4]uint32
		rate [4]float64
		want [4]int // flights at once
	}{
		"nothing is said":         {want: [4]int{3, 3, 3, 3}},
		"nothing is measured":     {far: [4]uint32{5, 40, 40, 0}, want: [4]int{3, 1, 1, 1}},
		"the far ones are":        {far: [4]uint32{5, 40, 0, 0}, rate: [4]float64{0, 1, 1, 0}, want: [4]int{3, 3, 3, 1}},
		"two are near":            {far: [4]uint32{5, 5, 6, 7}, want: [4]int{3, 3, 1, 1}},
		"what is said of none":    {rate: [4]float64{1, 0, 1, 0}, want: [4]int{3, 3, 3, 3}},
		"the nearest is measured": {far: [4]uint32{5, 6, 7, 8}, rate: [4]float64{1, 0, 0, 0}, want: [4]int{3, 1, 1, 1}},
	} {
		p := &places{now: func() time.Time { return now }}
		for i := range c.far {
			p.all = append(p.all, known(fmt.Sprint(i), c.far[i], c.rate[i], now))
		}
		d := &dispatcher{r: &run{places: p}}
		for i, s := range p.all {
			if got := d.streams(s); got != c.want[i] {
				t.Errorf("%s: source %d may have %d flights, want %d", name, i, got, c.want[i])
			}
		}
	}
}

func TestOrderByDistance(t *testing.T) {
	now := time.Unix(1e9, 0)
	list := []*place{known("far and fast", 90, 8, now), known("slow", 1, 1, now), known("near", 5, 5, now), known("farther", 6, 7, now),
		known("nothing is said", 0, 9, now), known("nothing is measured", 7, 0, now), known("slower", 3, 3, now)}
	rank(list)
	var got []string
	for _, s := range list {
		got = append(got, s.key)
	}
	want := []string{"near", "farther", "nothing is measured", "far and fast", "nothing is said", "slower", "slow"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestChoiceByDistance(t *testing.T) {
	now := time.Unix(1e9, 0)
	d := &dispatcher{r: &run{places: &places{now: func() time.Time { return now }}}}
	of := func(name string, far uint32, rate float64, age time.Duration) *place {
		return known(name, far, rate, now.Add(-age))
	}
	const old = fades + time.Minute
	for name, c := range map[string]struct {
		all  []*place
		want string
	}{
		"nothing is said, whatever was measured": {[]*place{of("a", 0, 1, 0), of("b", 0, 1, 0), of("c", 0, 1, 0), of("d", 0, 9, 0)}, "abc"},
		"nothing is measured":                    {[]*place{of("a", 1, 0, 0), of("b", 2, 0, 0), of("c", 3, 0, 0), of("d", 4, 0, 0)}, "abcd"},
		"not all of those asked are":             {[]*place{of("a", 1, 1, 0), of("b", 2, 0, 0), of("c", 3, 1, 0), of("d", 4, 9, 0)}, "dbc"},
		"one that is not is tried":               {[]*place{of("a", 1, 1, 0), of("b", 2, 1, 0), of("c", 3, 1, 0), of("d", 4, 0, 0), of("e", 5, 0, 0)}, "abcd"},
		"a much faster one takes a place":        {[]*place{of("a", 1, 4, 0), of("b", 2, 1, 0), of("c", 3, 2, 0), of("d", 4, 3, 0)}, "adc"},
		"a little faster is not enough":          {[]*place{of("a", 1, 4, 0), of("b", 2, 2, 0), of("c", 3, 4, 0), of("d", 4, 4, 0)}, "abc"},
		"what was slow long ago is asked again":  {[]*place{of("a", 1, 4, 0), of("b", 2, 1, old), of("c", 3, 4, 0), of("d", 4, 9, 0)}, "dbc"},
		"fewer than may be asked":                {[]*place{of("a", 1, 1, 0), of("b", 2, 9, 0)}, "ab"},
	} {
		chosen, standing := d.choose(c.all)
		got := ""
		for _, s := range chosen {
			got += s.key
		}
		if got != c.want || len(chosen)+len(standing) != len(c.all) {
			t.Errorf("%s: chose %s of %d, want %s", name, got, len(c.all), c.want)
		}
	}
}
