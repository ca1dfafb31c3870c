package replicate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"loggia/internal/backoff"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// nodes reads tree nodes from the target and, where they are missing, from a source, and keeps
// those in the target. It is for one goroutine.
//
// A frame of nodes holds neighbours of the node asked for: they wait in ahead for their turn.
type nodes struct {
	r     *run
	ahead map[chunk.ID][]byte
	order []chunk.ID // of ahead, oldest first
	size  int        // bytes in ahead
}

// maxAhead bounds the bytes of nodes kept for later: twice the leaves of mostLeaves spans as they
// are by default, some 90 KiB each. What does not fit is read again from the target.
const maxAhead = 16 << 20

func newNodes(r *run) *nodes { return &nodes{r: r, ahead: map[chunk.ID][]byte{}} }

// Node implements manifest.Getter.
func (n *nodes) Node(ctx context.Context, id chunk.ID) ([]byte, error) {
	if b, ok := n.ahead[id]; ok {
		return b, nil
	}
	missing, err := n.r.target.Missing([]chunk.ID{id})
	if err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		b, err := n.r.target.Node(ctx, id)
		if !errors.Is(err, repository.ErrDamaged) && !errors.Is(err, repository.ErrMissing) {
			return b, err
		}
	}
	if err := n.fetch(ctx, []chunk.ID{id}); err != nil {
		return nil, err
	}
	if b, ok := n.ahead[id]; ok {
		return b, nil
	}
	return n.r.target.Node(ctx, id)
}

// prefetch asks for those of the nodes that are not at hand, in one request.
func (n *nodes) prefetch(ctx context.Context, ids []chunk.ID) error {
	var want []chunk.ID
	for _, id := range ids {
		if _, ok := n.ahead[id]; !ok {
			want = append(want, id)
		}
	}
	want, err := n.r.target.Missing(want)
	if err != nil {
		return err
	}
	return n.fetch(ctx, want)
}

// fetch asks one source after the other, the nearest first, until everything has come. Equal spans have equal nodes: what is named twice is
// asked for once.
func (n *nodes) fetch(ctx context.Context, ids []chunk.ID) error {
	left := make(gathered, len(ids))
	var want []chunk.ID
	for _, id := range ids {
		if !left[id] {
			left[id] = true
			want = append(want, id)
		}
	}
	lacks := map[*place]bool{}
	for len(left) > 0 {
		var rest time.Duration // 0: nobody is left to ask
		for _, s := range n.r.places.whole() {
			if len(left) == 0 || lacks[s] {
				continue
			}
			again, err := n.from(ctx, s, want, left)
			if err != nil {
				return err
			}
			lacks[s] = again == 0
			rest = max(rest, again)
		}
		if len(left) == 0 {
			return nil
		}
		if rest == 0 {
			return n.r.places.none(fmt.Sprintf("%d nodes", len(left)))
		}
		if err := backoff.Sleep(ctx, rest); err != nil {
			return err
		}
	}
	return nil
}

// from asks a source for what is left. It returns how long to wait before asking it again; 0: it
// gave what it has, or is dropped.
func (n *nodes) from(ctx context.Context, s *place, want []chunk.ID, left gathered) (time.Duration, error) {
	var ids []chunk.ID
	for _, id := range want {
		if left[id] {
			ids = append(ids, id)
		}
	}
	r := n.r
	mark := r.places.mark(s)
	limit := (2*int64(len(ids)) + 1) * manifest.MaxNode
	r.asked(s, 1)
	defer r.asked(s, -1)
	ctx, end := r.places.whileThere(ctx, s)
	defer end()
	failed, err := r.ask(ctx, s, ids, limit, delivery{kind: pack.Nodes, takes: arriving{r, s, left}, each: n.keep})
	if errors.Is(err, errGone) {
		return restBase, nil // by then somebody else may be known
	}
	if err != nil {
		return 0, err
	}
	if failed == nil {
		r.places.well(s)
		return 0, nil
	}
	rest := r.places.failed(s, mark, len(left) < len(ids), failed)
	r.again(s, r.places.fault(s))
	if !r.places.good(s) {
		return 0, nil
	}
	return rest, nil
}

// gathered are the nodes that have not come, of one goroutine.
type gathered map[chunk.ID]bool

// arriving is a taker of nodes.
type arriving struct {
	r    *run
	from *place
	left gathered
}

// wants implements taker.
func (a arriving) wants(refs []chunk.Ref) bool {
	return slices.ContainsFunc(refs, func(ref chunk.Ref) bool { return a.left[ref.ID] })
}

// keep implements taker.
func (a arriving) keep(refs []chunk.Ref, stored int, add func(lane uint64) error) error {
	if err := add(0); err != nil {
		return err
	}
	for _, ref := range refs {
		delete(a.left, ref.ID)
	}
	a.r.kept(a.from, pack.Nodes, int64(stored))
	return nil
}

func (n *nodes) keep(ref chunk.Ref, data []byte) {
	if _, ok := n.ahead[ref.ID]; ok || len(data) > manifest.MaxNode {
		return
	}
	for n.size+len(data) > maxAhead {
		oldest := n.order[0]
		n.size -= len(n.ahead[oldest])
		delete(n.ahead, oldest)
		n.order = n.order[1:]
	}
	n.ahead[ref.ID] = bytes.Clone(data)
	n.order = append(n.order, ref.ID)
	n.size += len(data)
}
