package main

import (
	"context"
	"time"

	"loggia/testing/netlab"
)

// link is a region's line over time: what crossed it in each step.
type link struct {
	Region   string  `json:"region"`
	Sent     []int64 `json:"sent"`
	Received []int64 `json:"received"`
}

// total sums up steps.
func total(steps []int64) (sum int64) {
	for _, n := range steps {
		sum += n
	}
	return sum
}

// watch samples the kernel's counters of every line until its end is asked for.
type watch struct {
	every time.Duration
	stop  context.CancelFunc
	ended chan error
	links []link
}

func (b *bench) watch(ctx context.Context, every time.Duration) (*watch, error) {
	w := &watch{every: every, ended: make(chan error, 1)}
	ctx, w.stop = context.WithCancel(ctx)
	for _, r := range append([]string{origin}, targets...) {
		w.links = append(w.links, link{Region: r})
	}
	last := make([]netlab.Traffic, len(w.links))
	if err := b.sample(w.links, last, false); err != nil {
		w.stop()
		return nil, err
	}
	go func() { w.ended <- b.follow(ctx, w, last) }() // ends with stop
	return w, nil
}

func (b *bench) follow(ctx context.Context, w *watch, last []netlab.Traffic) error {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return b.sample(w.links, last, true)
		}
		if err := b.sample(w.links, last, true); err != nil {
			return err
		}
	}
}

// sample reads all counters and notes what has changed since last, if asked to.
func (b *bench) sample(links []link, last []netlab.Traffic, note bool) error {
	for i := range links {
		now, err := b.c.Lab.Counters(links[i].Region)
		if err != nil {
			return err
		}
		if note {
			links[i].Sent = append(links[i].Sent, now.Sent-last[i].Sent)
			links[i].Received = append(links[i].Received, now.Received-last[i].Received)
		}
		last[i] = now
	}
	return nil
}

// end stops sampling and returns what was seen.
func (w *watch) end() ([]link, error) {
	w.stop()
	err := <-w.ended
	return w.links, err
}
