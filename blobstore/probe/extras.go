package probe

import (
	"bytes"
	"context"
	"errors"

	"loggia/blobstore"
)

// passing says that an answer is no answer: the store could not be asked.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, blobstore.ErrThrottled) || errors.Is(err, blobstore.ErrForbidden) || errors.Is(err, blobstore.ErrFull)
}

// conditionalPut puts other bytes under a taken key: only a refusal that left the first ones, and
// a free key that was taken, mean that the condition is enforced.
func (p *prober) conditionalPut(ctx context.Context) error {
	c, ok := p.s.(blobstore.ConditionalPutter)
	if !ok {
		return nil
	}
	key := p.key("conditional")
	first, err := c.PutIfAbsent(ctx, key, p.data())
	if err != nil {
		return p.unable(ctx, err)
	}
	second, err := c.PutIfAbsent(ctx, key, []byte("others"))
	if err != nil {
		return p.unable(ctx, err)
	}
	got, err := p.read(ctx, key, 0, -1)
	p.found.ConditionalPut = first && !second && bytes.Equal(got, p.data())
	return err
}

// unable turns the refusal of an ability into its absence.
func (p *prober) unable(ctx context.Context, err error) error {
	if passing(ctx, err) {
		return err
	}
	return nil
}

// checksums sends each kind rightly and wrongly. Enforced is what takes the first, refuses the
// second, and keeps nothing of it.
func (p *prober) checksums(ctx context.Context) error {
	c, ok := p.s.(blobstore.ChecksumPutter)
	if !ok {
		return nil
	}
	for _, kind := range blobstore.Checksums() {
		enforced, err := p.enforces(ctx, c, kind)
		if err != nil {
			return err
		}
		if !enforced {
			continue
		}
		if len(p.found.Enforced) == 0 {
			p.found.Checksum = kind // they come cheapest first
		}
		p.found.Enforced = append(p.found.Enforced, kind)
	}
	return nil
}

func (p *prober) enforces(ctx context.Context, c blobstore.ChecksumPutter, kind blobstore.Checksum) (bool, error) {
	if err := c.PutChecksum(ctx, p.key("right-"+string(kind)), p.data(), kind, kind.Sum(p.data())); err != nil {
		return false, p.unable(ctx, err)
	}
	wrong := p.key("wrong-" + string(kind))
	err := c.PutChecksum(ctx, wrong, p.data(), kind, kind.Sum([]byte("others")))
	if err == nil || !errors.Is(err, blobstore.ErrDamaged) {
		if err != nil {
			err = p.unable(ctx, err)
		}
		return false, err
	}
	got, err := p.read(ctx, wrong, 0, -1)
	return got == nil, err
}

func (p *prober) copy(ctx context.Context) error {
	if !blobstore.CanCopy(p.s) {
		return nil
	}
	key := p.key("copy")
	if err := blobstore.Copy(ctx, p.s, p.prefix+"object", key); err != nil {
		return p.unable(ctx, err)
	}
	got, err := p.read(ctx, key, 0, -1)
	p.found.ServerCopy = bytes.Equal(got, p.data())
	return err
}
