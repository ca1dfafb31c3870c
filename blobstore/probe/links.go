package probe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"loggia/blobstore"
	"loggia/internal/ranged"
)

// linkLife is the life of the probe's own link.
const linkLife = time.Minute

// links follows a link rightly and wrongly: whoever holds one must get its range and no other. Where the service is asked for
// something else than signed and answers, no link to it is ever given out.
func (p *prober) links(ctx context.Context) error {
	l, ok := p.s.(blobstore.Linker)
	if !ok {
		return nil
	}
	off, n := int64(100), int64(50)
	made, err := l.Link(ctx, p.prefix+"object", off, n, linkLife)
	if err != nil {
		return p.unable(ctx, err)
	}
	c, err := ranged.New(ranged.Options{Origin: made.Origin, CA: made.CA, Insecure: true})
	if err != nil {
		return nil
	}
	defer c.Close()
	got, err := follow(ctx, c, made, off, n)
	if err != nil || !bytes.Equal(got, p.data()[off:off+n]) {
		return ctx.Err()
	}
	for _, other := range [][2]int64{{off, n + 1}, {0, off + n}, {off + n, n}, {0, 1}} {
		if _, err := follow(ctx, c, made, other[0], other[1]); !errors.Is(err, ranged.ErrRefused) {
			return ctx.Err()
		}
	}
	p.found.Links = true
	return nil
}

func follow(ctx context.Context, c *ranged.Client, l blobstore.Link, off, n int64) ([]byte, error) {
	body, err := c.Get(ctx, l.Path, off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}
