package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"loggia/blobstore"
)

// Options are what the probe needs of its caller.
type Options struct {
	Now func() time.Time // our clock, against which the store's is held; nil means time.Now
	ID  string           // makes the probe's keys unique; empty means a new UUID
}

// cleanUp bounds the time for deleting what the probe wrote, also after its context has ended.
const cleanUp = 30 * time.Second

// Probe tries what s can do under keys of its own, and deletes them in the end. s is the store
// itself, without decorators. The abilities found are returned with an error that wraps ErrUnfit,
// too; other errors mean that the store could not be asked.
func Probe(ctx context.Context, s blobstore.Store, o Options) (a Abilities, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ID == "" {
		o.ID = uuid.NewString()
	}
	p := &prober{s: s, now: o.Now, prefix: "probe-" + o.ID + "/"}
	p.found = Abilities{Checksum: blobstore.ChecksumNone, ProbedAt: o.Now().UTC()}
	defer func() {
		err = errors.Join(err, p.clean(ctx))
	}()
	for _, step := range []struct {
		name string
		try  func(context.Context) error
	}{
		{"clock", p.clock}, // first: with a wrong clock everything else is refused
		{"expiry rules", p.expiry},
		{"write and read", p.readAfterWrite},
		{"ranges", p.ranges},
		{"overwrite", p.overwrite},
		{"list", p.list},
		{"clock of objects", p.clockOfObjects},
		{"conditional put", p.conditionalPut},
		{"checksums", p.checksums},
		{"copy", p.copy},
		{"links", p.links},
		{"capacity", p.capacity},
		{"delete", p.delete},
	} {
		if err := step.try(ctx); err != nil {
			return p.found, fmt.Errorf("probe %s: %w", step.name, err)
		}
		if p.found.skew() > SkewRefuse {
			break
		}
	}
	return p.found, p.found.check()
}

type prober struct {
	s      blobstore.Store
	now    func() time.Time
	prefix string
	keys   []string // that may exist
	found  Abilities
}

// key makes a key, to be deleted in the end.
func (p *prober) key(name string) string {
	key := p.prefix + name
	p.keys = append(p.keys, key)
	return key
}

// data is long enough to have a range in its middle, and differs between probes.
func (p *prober) data() []byte { return bytes.Repeat([]byte(p.prefix), 100) }

// clean deletes on a context of its own, so that a cancelled probe leaves nothing either.
func (p *prober) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	var errs []error
	for _, key := range p.keys {
		if err := p.s.Delete(ctx, key); err != nil {
			errs = append(errs, fmt.Errorf("clean up after the probe: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (p *prober) clock(ctx context.Context) error {
	c, ok := p.s.(blobstore.Clock)
	if !ok {
		return nil
	}
	before := p.now()
	theirs, err := c.Time(ctx)
	if err != nil {
		return err
	}
	p.skew(theirs, before)
	return nil
}

// skew compares their time, told in whole seconds, with the span in which they told it.
func (p *prober) skew(theirs, before time.Time) {
	after := p.now()
	var d time.Duration
	switch {
	case theirs.Before(before.Add(-time.Second)):
		d = theirs.Sub(before)
	case theirs.After(after):
		d = theirs.Sub(after)
	}
	p.found.SkewMillis = d.Milliseconds()
	p.found.SkewAlarm = d.Abs() > SkewAlarm
}

// clockOfObjects takes the date of an object, where the store has no clock to ask.
func (p *prober) clockOfObjects(ctx context.Context) error {
	if _, ok := p.s.(blobstore.Clock); ok {
		return nil
	}
	before := p.now()
	key := p.key("clock")
	if err := p.s.Put(ctx, key, p.data()); err != nil {
		return err
	}
	info, err := p.s.Stat(ctx, key)
	if err != nil {
		return err
	}
	p.skew(info.Modified, before)
	return nil
}

func (p *prober) expiry(ctx context.Context) error {
	e, ok := p.s.(blobstore.Expirer)
	if !ok {
		return nil
	}
	rules, err := e.ExpiryRules(ctx)
	if errors.Is(err, blobstore.ErrForbidden) {
		return nil // narrow rights are good practice; then nobody can tell
	}
	p.found.ExpiryRules = rules
	return err
}

// read returns the bytes of a range, or nil where the store damages or denies it.
func (p *prober) read(ctx context.Context, key string, off, n int64) ([]byte, error) {
	r, err := p.s.Get(ctx, key, off, n)
	if err == nil {
		var data []byte
		data, err = io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err == nil {
			return data, nil
		}
	}
	for _, unable := range []error{blobstore.ErrNotFound, blobstore.ErrRange, blobstore.ErrDamaged} {
		if errors.Is(err, unable) {
			return nil, nil
		}
	}
	return nil, err
}

func (p *prober) readAfterWrite(ctx context.Context) error {
	key := p.key("object")
	if err := p.s.Put(ctx, key, p.data()); err != nil {
		return err
	}
	got, err := p.read(ctx, key, 0, -1)
	p.found.ReadAfterWrite = bytes.Equal(got, p.data())
	return err
}

func (p *prober) ranges(ctx context.Context) error {
	got, err := p.read(ctx, p.prefix+"object", 10, 20)
	if err != nil {
		return err
	}
	rest, err := p.read(ctx, p.prefix+"object", 10, -1)
	p.found.Range = bytes.Equal(got, p.data()[10:30]) && bytes.Equal(rest, p.data()[10:])
	return err
}

func (p *prober) overwrite(ctx context.Context) error {
	err := p.s.Put(ctx, p.prefix+"object", p.data())
	if errors.Is(err, blobstore.ErrForbidden) {
		return nil // an object lock, or a right to add only
	}
	if err != nil {
		return err
	}
	got, err := p.read(ctx, p.prefix+"object", 0, -1)
	p.found.Overwrite = bytes.Equal(got, p.data())
	return err
}

func (p *prober) list(ctx context.Context) error {
	return p.s.List(ctx, p.prefix, "", func(i blobstore.Info) error {
		p.found.ListAfterWrite = p.found.ListAfterWrite || i.Key == p.prefix+"object" && i.Size == int64(len(p.data()))
		return nil
	})
}

func (p *prober) capacity(ctx context.Context) error {
	c, err := p.s.Capacity(ctx)
	p.found.Capacity = c.Known
	return err
}

func (p *prober) delete(ctx context.Context) error {
	err := p.s.Delete(ctx, p.prefix+"object")
	if errors.Is(err, blobstore.ErrForbidden) {
		return nil
	}
	if err != nil {
		return err
	}
	got, err := p.read(ctx, p.prefix+"object", 0, -1)
	p.found.Delete = got == nil
	return err
}
