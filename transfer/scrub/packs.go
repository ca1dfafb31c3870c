package scrub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// placeOf is the key of a pack in a set: the same content may lie in two places.
func placeOf(p index.Pack) chunk.ID {
	b := append([]byte{byte(p.Kind)}, p.ID[:]...)
	return digest.Of(binary.BigEndian.AppendUint64(b, p.Epoch))
}

// total counts what there is to check.
func (c *check) total() error {
	return c.view.Packs(func(_ int, p index.Pack, _ *pack.Directory) error {
		v, _, err := c.needed.Get(placeOf(p))
		if err != nil || v&flagListed != 0 {
			return err
		}
		c.progress.PacksTotal++
		c.progress.BytesTotal += p.Size
		return c.flag(p, flagListed)
	})
}

// list goes through the store: it notes the packs that are there, and finds what nothing names.
func (c *check) list(ctx context.Context) error {
	segments := map[repository.Object]bool{}
	for _, s := range c.State.Segments {
		segments[repository.Object{Kind: 'i', Epoch: s.Epoch, ID: s.ID}] = true
	}
	prefix := c.Repository.Keys.Prefix()
	err := c.Repository.Store.List(ctx, prefix, "", func(i blobstore.Info) error {
		o, err := c.Repository.Keys.Parse(i.Key)
		switch {
		case err != nil:
			return c.Found(Finding{Kind: Unknown, Key: i.Key, Size: i.Size})
		case o.Epoch > c.State.Index || c.open[o.Epoch] || segments[o] || o.Kind == 'g':
			return nil
		case c.Condemned != nil && c.Condemned(i.Key):
			return nil
		case o.Kind == 'v' && c.roots[o.ID]:
			c.recorded[o.ID] = true
			return nil
		case o.Kind == byte(pack.Data) || o.Kind == byte(pack.Nodes):
			p := index.Pack{Kind: pack.Kind(o.Kind), Epoch: o.Epoch, ID: o.ID}
			v, _, err := c.needed.Get(placeOf(p))
			if err != nil {
				return err
			}
			if v&flagListed != 0 {
				return c.flag(p, flagSeen|uint64(i.Size)<<sizeShift)
			}
		}
		return c.Found(Finding{Kind: Orphaned, Key: i.Key, Size: i.Size})
	})
	if err != nil {
		return fmt.Errorf("list the store: %w", err)
	}
	return nil
}

// records looks for the version records of whole disks: a rebuild needs them.
func (c *check) records() error {
	for _, d := range c.State.Whole {
		if c.recorded[d.Root] {
			continue
		}
		c.recorded[d.Root] = true
		if err := c.Found(Finding{Kind: Lost, Key: c.Repository.Keys.Prefix() + "v/*/" + d.Root.String(), Disk: d.Name, Record: true, Detail: "no version record names it"}); err != nil {
			return err
		}
	}
	return nil
}

// packs checks every pack that a live segment lists. Those without live content are garbage, and not read.
func (c *check) packs(ctx context.Context) error {
	if c.Part == nil {
		return c.pass(ctx, func(digest.Digest) bool { return true })
	}
	if err := c.pass(ctx, func(id digest.Digest) bool { return !c.Part.holds(id) }); err != nil {
		return err
	}
	if err := c.Part.Reached(c.Part.From); err != nil {
		return err
	}
	for _, to := range c.Part.steps(c.progress.PacksTotal) {
		if err := c.pass(ctx, func(id digest.Digest) bool { return Position(id) < to }); err != nil {
			return err
		}
		if err := c.Part.Reached(to); err != nil {
			return err
		}
	}
	return nil
}

// pass checks the packs that were not checked before and whose ids are chosen.
func (c *check) pass(ctx context.Context, chosen func(digest.Digest) bool) error {
	return c.view.Packs(func(_ int, p index.Pack, _ *pack.Directory) error {
		if !chosen(p.ID) {
			return nil
		}
		v, _, err := c.needed.Get(placeOf(p))
		if err != nil || v&flagListed == 0 {
			return err
		}
		if err := c.needed.Add(placeOf(p), v&^flagListed); err != nil { // once
			return err
		}
		if v&flagNeeded != 0 {
			if err := c.pack(ctx, p, v); err != nil {
				return err
			}
		}
		c.progress.Packs++
		c.progress.Bytes += p.Size
		c.tell()
		return nil
	})
}

func (c *check) pack(ctx context.Context, p index.Pack, v uint64) error {
	f, err := c.inspect(ctx, p, v)
	if err != nil || f == nil {
		return err
	}
	f.Pack = &p
	return c.Found(*f)
}

// inspect returns what is wrong with a pack, if anything is.
func (c *check) inspect(ctx context.Context, p index.Pack, v uint64) (*Finding, error) {
	key := c.Repository.Keys.Pack(p.Kind, p.Epoch, p.ID)
	size := int64(v >> sizeShift)
	if v&flagSeen == 0 { // one missing entry of a listing proves nothing
		info, err := c.Repository.Store.Stat(ctx, key)
		if errors.Is(err, blobstore.ErrNotFound) {
			return &Finding{Kind: Lost, Key: key, Size: p.Size}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", key, err)
		}
		size = info.Size
	}
	if size != p.Size {
		return &Finding{Kind: Damaged, Key: key, Size: size, Detail: fmt.Sprintf("%d bytes, want %d", size, p.Size)}, nil
	}
	if !c.reads(p.ID) {
		return nil, nil
	}
	c.progress.ReadPacks++
	c.progress.ReadBytes += p.Size
	b, f, err := c.read(ctx, key, p.Size)
	if f != nil || err != nil {
		return f, err
	}
	if err := whole(b, p, c.Repository.Decoder); err != nil {
		return &Finding{Kind: Damaged, Key: key, Size: size, Detail: err.Error()}, nil
	}
	return nil, nil
}

// read reads an object of a known length, at most pack.MaxObject.
func (c *check) read(ctx context.Context, key string, size int64) ([]byte, *Finding, error) {
	body, err := c.Repository.Store.Get(ctx, key, 0, size)
	if err == nil {
		defer body.Close()
		b := make([]byte, size)
		if _, err = io.ReadFull(body, b); err == nil {
			return b, nil, nil
		}
	}
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return nil, &Finding{Kind: Lost, Key: key, Size: size}, nil
	case errors.Is(err, blobstore.ErrDamaged), errors.Is(err, blobstore.ErrRange), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, &Finding{Kind: Damaged, Key: key, Size: size, Detail: err.Error()}, nil
	}
	return nil, nil, fmt.Errorf("read %s: %w", key, err)
}

// whole checks a pack's every byte: its directory, its frames, and the chunks that they unpack to.
func whole(b []byte, p index.Pack, dec frame.Decompressor) error {
	dir, need, err := pack.ParseDirectory(b, int64(len(b)))
	switch {
	case err != nil:
		return err
	case dir == nil:
		return fmt.Errorf("%w: it lacks %d bytes", pack.ErrCorrupt, need)
	case dir.ID() != p.ID || dir.Kind != p.Kind:
		return fmt.Errorf("%w: its directory has another id", pack.ErrMismatch)
	}
	var h chunk.Hasher
	for _, f := range dir.Frames {
		h.Add(b[f.Offset:f.End()])
	}
	for i, id := range h.IDs() {
		if f := dir.Frames[i]; id != f.ID {
			return fmt.Errorf("%w: frame at %d", repository.ErrDamaged, f.Offset)
		}
	}
	for i := range dir.Frames {
		if err := wholeFrame(b, &dir.Frames[i], dec, &h); err != nil {
			return err
		}
	}
	return nil
}

// wholeFrame checks the chunks of a frame.
func wholeFrame(b []byte, f *pack.Frame, dec frame.Decompressor, h *chunk.Hasher) error {
	plain, err := frame.Decode(nil, b[f.Offset:f.End()], dec)
	if err != nil {
		return fmt.Errorf("%w: frame at %d: %w", repository.ErrDamaged, f.Offset, err)
	}
	for _, ref := range f.Chunks {
		if int64(ref.Length) > int64(len(plain)) {
			return fmt.Errorf("%w: chunk %s", repository.ErrDamaged, ref.ID.Short())
		}
		h.Add(plain[:ref.Length])
		plain = plain[ref.Length:]
	}
	for i, id := range h.IDs() {
		if ref := f.Chunks[i]; id != ref.ID {
			return fmt.Errorf("%w: chunk %s", repository.ErrDamaged, ref.ID.Short())
		}
	}
	return nil
}
