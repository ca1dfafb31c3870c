package replicate

import (
	"bytes"
	"context"
	"errors"

	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
)

// Peeked is the beginning of a disk's trees, read before its copy began: roots, and what is below them. A copy that is given it
// begins two round trips further on.
type Peeked struct {
	disk   Identity
	frames []peekedFrame
	nodes  map[chunk.ID][]byte
}

// peekedFrame is a verified frame.
type peekedFrame struct {
	stored []byte
	id     chunk.ID
	plain  uint32
	refs   []chunk.Ref
}

// maxPeeked bounds the stored bytes of what is kept: four nodes, as sources send them.
const maxPeeked = 4 << 20

// Peek asks Options.Sources for the beginning of the disk's trees, while the caller waits for the right to write. It uses Disk, Sources, Speeds, Pool, Decoder
// and Stall of o, and tells nobody of progress. Its error says that a copy would have begun with it, too; what was read before is no less good.
func Peek(ctx context.Context, o Options) (*Peeked, error) {
	p := &Peeked{disk: o.Disk}
	r, end, err := begin(ctx, p, Options{Disk: o.Disk, Sources: o.Sources, Speeds: o.Speeds, Pool: o.Pool, Decoder: o.Decoder, Stall: o.Stall})
	if err != nil {
		return p, err
	}
	defer end()
	r.places.refresh(o.Sources)
	get := newNodes(r)
	_, _, err = get.roots(ctx, o.Disk)
	p.nodes = get.ahead
	return p, err
}

// errPeeked is Peeked's for what it does not have.
var errPeeked = errors.New("nothing is there before a copy begins")

// Missing implements Target.
func (*Peeked) Missing(ids []chunk.ID) ([]chunk.ID, error) { return ids, nil }

// Node implements Target.
func (*Peeked) Node(context.Context, chunk.ID) ([]byte, error) { return nil, errPeeked }

// Hasten implements Target.
func (*Peeked) Hasten() {}

// Add implements Target.
func (p *Peeked) Add(_ context.Context, _ pack.Kind, _ uint64, stored []byte, id chunk.ID, plain uint32, refs []chunk.Ref) error {
	size := len(stored)
	for _, f := range p.frames {
		size += len(f.stored)
	}
	if size > maxPeeked {
		return errPeeked
	}
	p.frames = append(p.frames, peekedFrame{bytes.Clone(stored), id, plain, append([]chunk.Ref(nil), refs...)})
	return nil
}

// take gives what was read before to the target. What is there already is not kept twice.
func (n *nodes) take(ctx context.Context, p *Peeked) error {
	if p == nil || p.disk != n.r.o.Disk {
		return nil
	}
	for _, f := range p.frames {
		for _, ref := range f.refs {
			if b, ok := p.nodes[ref.ID]; ok {
				n.keep(ref, b)
			}
		}
		if missing, err := n.r.target.Missing(ids(f.refs)); err != nil {
			return err
		} else if len(missing) == 0 {
			continue
		}
		if err := n.r.target.Add(ctx, pack.Nodes, 0, f.stored, f.id, f.plain, f.refs); err != nil {
			return err
		}
	}
	return nil
}

// roots reads both roots, and the nodes below them.
func (n *nodes) roots(ctx context.Context, d Identity) (manifest.Root, manifest.Table, error) {
	if err := n.prefetch(ctx, []chunk.ID{d.Root, d.Table}); err != nil {
		return manifest.Root{}, manifest.Table{}, err
	}
	root, table, err := open(ctx, n, d)
	if err != nil || root.Top.IsZero() {
		return root, table, err
	}
	return root, table, n.prefetch(ctx, []chunk.ID{root.Top, table.Top})
}
