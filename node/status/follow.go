package status

import (
	"context"
	"reflect"
	"strings"
	"time"

	"loggia/api/v1"
	"loggia/fsm/state"
	"loggia/gallery"
)

// The pace of events: while something is copied its bytes are told every tick, else only changes.
const (
	tick    = time.Second
	silence = 20 * time.Second      // without an event: one goes out so that a dead connection is noticed
	apart   = 50 * time.Millisecond // between two looks at least: changes that follow each other closely are told together
)

// Follow implements status.Service.
func (b *Board) Follow(ctx context.Context, key string, fn func(v1.Event) error) error {
	if key != "" {
		if err := b.known(key); err != nil {
			return err
		}
	}
	if err := fn(v1.Event{Type: "hello"}); err != nil {
		return err
	}
	told := map[string]v1.VersionStatus{}
	last := b.o.Now()
	for {
		looked := time.Now()
		v, watch := b.o.Watched()
		busy, said, err := b.tell(ctx, v, key, told, fn)
		if err != nil {
			return err
		}
		if said {
			last = b.o.Now()
		} else if b.o.Now().Sub(last) > silence {
			if err := fn(v1.Event{Type: "hello"}); err != nil {
				return err
			}
			last = b.o.Now()
		}
		wait := silence
		if busy {
			wait = tick
		}
		if err := rest(ctx, watch, wait, looked); err != nil {
			return err
		}
	}
}

// known refuses a key that names no version.
func (b *Board) known(key string) error {
	p := strings.Split(key, "/")
	if len(p) != 3 {
		return &gallery.Error{Kind: gallery.ErrInvalid, Field: "version", Message: "must be gallery/image/version"}
	}
	_, err := b.o.Metadata.Find(b.o.State(), p[0], p[1], p[2], b.o.Region)
	return err
}

// tell sends what changed since it was last told. busy says that bytes are moving.
func (b *Board) tell(ctx context.Context, v *state.View, key string, told map[string]v1.VersionStatus, fn func(v1.Event) error) (busy, said bool, err error) {
	live := b.live(ctx, v)
	gone := map[string]bool{}
	for k := range told {
		gone[k] = true
	}
	for _, row := range v.AllVersions() {
		name := row.Ref.String()
		if key != "" && !strings.EqualFold(name, key) {
			continue
		}
		delete(gone, name)
		s := b.version(v, row, live)
		busy = busy || s.State == string(gallery.AggregatedInProgress) || s.State == string(gallery.AggregatedUnknown)
		if old, ok := told[name]; ok && reflect.DeepEqual(old, s) {
			continue
		}
		told[name], said = s, true
		if err := fn(v1.Event{Type: "version", Key: name, Version: &s}); err != nil {
			return busy, said, err
		}
	}
	for name := range gone {
		delete(told, name)
		said = true
		if err := fn(v1.Event{Type: "deleted", Key: name}); err != nil {
			return busy, said, err
		}
	}
	return busy, said, nil
}

// rest waits until what was read changes or the time is over. A change that comes apart from the last look is told at once.
func rest(ctx context.Context, watch *state.Watch, d time.Duration, looked time.Time) error {
	bounded, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if watch.Wait(bounded) == nil {
		select {
		case <-time.After(time.Until(looked.Add(apart))):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
