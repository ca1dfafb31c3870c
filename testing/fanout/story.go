package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"loggia/api/v1"
	"loggia/testing/disks"
)

// One region has the image, the others want it.
const origin = "origin"

var targets = []string{"r1", "r2", "r3", "r4"}

// In the churn, victim is killed when it has received killAt of a copy, and late becomes a target
// when the first region has received joinAt.
const (
	victim, late   = "r2", "r4"
	killAt, joinAt = 0.3, 0.5
)

// patience bounds one scenario, in multiples of what the bytes need on one line, plus a minute.
const patience = 20

// story is one scenario: an image nobody has seen goes from the origin to some regions.
type story struct {
	Name   string             `json:"name"`
	Copy   int64              `json:"imageBytes"`
	Asked  map[string]float64 `json:"asked"` // seconds from the beginning at which a region became a target
	Done   map[string]float64 `json:"done"`  // and at which it was Completed
	Events []string           `json:"events,omitempty"`
	Links  []link             `json:"links"`
	Step   float64            `json:"sampleSeconds"`

	Restart float64 `json:"restart,omitempty"` // when the killed region was started again

	began   time.Time
	version string
}

// sent is what a region has sent until the killed one was started again, or till the end.
func (s *story) sent(region int) int64 {
	steps := s.Links[region].Sent
	if s.Restart > 0 {
		steps = steps[:min(len(steps), int(s.Restart/s.Step))]
	}
	return total(steps)
}

// took is how long a region waited, in seconds.
func (s *story) took(region string) float64 { return s.Done[region] - s.Asked[region] }

func (s *story) event(format string, args ...any) {
	text := fmt.Sprintf("%5.1f s: ", time.Since(s.began).Seconds()) + fmt.Sprintf(format, args...)
	fmt.Println("   " + text)
	s.Events = append(s.Events, text)
}

func (b *bench) scenarios(ctx context.Context, only string) ([]*story, error) {
	all := []struct {
		name string
		run  func(context.Context, *story) error
	}{{"single", b.single}, {"fanout", b.fanout}, {"churn", b.churn}}
	var done []*story
	for i, one := range all {
		if i > 0 && !slices.Contains(strings.Split(only, ","), one.name) {
			continue
		}
		s := &story{Name: one.name, Asked: map[string]float64{}, Done: map[string]float64{}}
		if err := b.tell(ctx, i+1, s, one.run); err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		done = append(done, s)
	}
	return done, nil
}

// tell publishes a fresh image in the origin and samples the lines while run runs.
func (b *bench) tell(ctx context.Context, number int, s *story, run func(context.Context, *story) error) error {
	s.Copy = int64(b.MiB) << 20
	ideal := time.Duration(float64(s.Copy) * 8 / float64(b.RateMbit) / 1e6 * float64(time.Second))
	ctx, cancel := context.WithTimeout(ctx, patience*ideal+time.Minute)
	defer cancel()
	file := filepath.Join(b.dir, "disk.raw")
	if err := disks.Random(file, s.Copy, b.Seed+uint64(number)); err != nil {
		return err
	}
	s.version = fmt.Sprintf("fanout/disk/1.0.%d", number)
	if _, err := b.c.Run(ctx, io.Discard, origin, "publish", file, s.version, "--base", "", "--wait", "local"); err != nil {
		return err
	}
	fmt.Printf("== %s (the bytes need %.1f s on a line)\n", s.Name, ideal.Seconds())
	watch, err := b.watch(ctx, 250*time.Millisecond)
	if err != nil {
		return err
	}
	s.began = time.Now()
	err = run(ctx, s)
	links, broken := watch.end()
	if err != nil {
		return err
	}
	s.Links, s.Step = links, watch.every.Seconds()
	if broken != nil {
		return broken
	}
	_, err = b.c.Run(ctx, io.Discard, origin, "version", "delete", s.version)
	return err
}

// target makes regions targets of the story's version, beside those that are.
func (b *bench) target(ctx context.Context, s *story, regions ...string) error {
	for _, r := range regions {
		s.Asked[r] = time.Since(s.began).Seconds()
	}
	all := []string{origin}
	for _, r := range targets {
		if _, ok := s.Asked[r]; ok {
			all = append(all, r)
		}
	}
	_, err := b.c.Run(ctx, io.Discard, origin, "version", "update", s.version, "--regions", strings.Join(all, ","))
	return err
}

// wait waits until regions are done and notes when.
func (b *bench) wait(ctx context.Context, s *story, each func(v1.VersionStatus) error, regions ...string) error {
	done, err := b.c.Completed(ctx, origin, s.version, regions, each)
	for _, r := range slices.SortedFunc(maps.Keys(done), func(a, b string) int { return done[a].Compare(done[b]) }) {
		if _, known := s.Done[r]; !known && r != origin {
			s.Done[r] = done[r].Sub(s.began).Seconds()
			s.Events = append(s.Events, fmt.Sprintf("%5.1f s: %s is Completed", s.Done[r], r))
			fmt.Println("   " + s.Events[len(s.Events)-1])
		}
	}
	return err
}

// single is the yardstick: one region alone.
func (b *bench) single(ctx context.Context, s *story) error {
	if err := b.target(ctx, s, targets[0]); err != nil {
		return err
	}
	return b.wait(ctx, s, nil, targets[0])
}

// fanout is four regions at once.
func (b *bench) fanout(ctx context.Context, s *story) error {
	if err := b.target(ctx, s, targets...); err != nil {
		return err
	}
	return b.wait(ctx, s, nil, targets...)
}

// churn is three regions of which one is killed, and a fourth that comes later. The dead one is
// started again when the others are done.
func (b *bench) churn(ctx context.Context, s *story) error {
	start, err := b.received()
	if err != nil {
		return err
	}
	if err := b.target(ctx, s, "r1", victim, "r3"); err != nil {
		return err
	}
	killed, joined := false, false
	each := func(v1.VersionStatus) error {
		now, err := b.received()
		if err != nil {
			return err
		}
		part := func(r string) float64 { return float64(now[r]-start[r]) / float64(s.Copy) }
		if !killed && part(victim) >= killAt {
			killed = true
			s.event("kill -9 of %s, which has received %.0f %% of a copy", victim, 100*part(victim))
			return b.c.Node(victim).Kill()
		}
		if killed && !joined && part("r1") >= joinAt {
			joined = true
			s.event("%s becomes a target; r1 has received %.0f %% of a copy", late, 100*part("r1"))
			return b.target(ctx, s, late)
		}
		return nil
	}
	if err := b.wait(ctx, s, each, "r1", "r3"); err != nil {
		return err
	}
	if !joined {
		return fmt.Errorf("the copies were done before %s was killed (%v) and %s joined; take a larger image", victim, killed, late)
	}
	if err := b.wait(ctx, s, nil, late); err != nil {
		return err
	}
	s.event("%s is started again", victim)
	s.Restart = time.Since(s.began).Seconds()
	if err := b.c.Start(ctx, victim); err != nil {
		return err
	}
	return b.wait(ctx, s, nil, victim)
}

// received is what each region's line has brought since the lab began, in bytes.
func (b *bench) received() (map[string]int64, error) {
	all := map[string]int64{}
	for _, r := range append([]string{origin}, targets...) {
		t, err := b.c.Lab.Counters(r)
		if err != nil {
			return nil, err
		}
		all[r] = t.Received
	}
	return all, nil
}
