package repository

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/pack"
)

// nodeFrame is the plain length at which a frame of nodes is closed: small, since a node is mostly
// read alone and nodes hardly compress.
const nodeFrame = 256 << 10

// nodeFramer gathers nodes into frames.
type nodeFramer struct {
	w    *Writer
	turn sync.Mutex // held by whoever adds or seals; before mu

	mu    sync.Mutex // guards what follows; never held while waiting
	plain []byte
	refs  []chunk.Ref
	at    map[chunk.ID][2]int // begin and end in plain
}

func newNodeFramer(w *Writer) *nodeFramer {
	return &nodeFramer{w: w, at: make(map[chunk.ID][2]int)}
}

// PutNode keeps one node of a tree under its digest, unless it is there already. It is a
// manifest.PutFunc. The node is durable after Flush.
func (w *Writer) PutNode(ctx context.Context, id chunk.ID, node []byte) error {
	if digest.Of(node) != id {
		return fmt.Errorf("%w: node %s", ErrDamaged, id.Short())
	}
	if there, err := w.Has(id); there || err != nil {
		return err
	}
	return w.nodes.add(ctx, id, node)
}

func (n *nodeFramer) add(ctx context.Context, id chunk.ID, node []byte) error {
	n.turn.Lock()
	defer n.turn.Unlock()
	if n.has(id) {
		return nil
	}
	if len(n.plain) > 0 && len(n.plain)+len(node) > nodeFrame {
		if err := n.seal(ctx); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at[id] = [2]int{len(n.plain), len(n.plain) + len(node)}
	n.plain = append(n.plain, node...)
	n.refs = append(n.refs, chunk.Ref{ID: id, Length: uint32(len(node))})
	return nil
}

// seal makes a frame of what was gathered. n.turn is held.
func (n *nodeFramer) seal(ctx context.Context) error {
	if len(n.plain) == 0 {
		return nil
	}
	stored, h, err := frame.Encode(nil, n.plain, n.w.opts.Encoder)
	if err != nil {
		return fmt.Errorf("frame nodes: %w", err)
	}
	if err := n.w.Add(ctx, pack.Nodes, 0, stored, frame.ID(stored), h.Plain, n.refs); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plain, n.refs = n.plain[:0], n.refs[:0]
	clear(n.at)
	return nil
}

func (n *nodeFramer) flush(ctx context.Context) error {
	n.turn.Lock()
	defer n.turn.Unlock()
	return n.seal(ctx)
}

func (n *nodeFramer) has(id chunk.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.at[id]
	return ok
}

func (n *nodeFramer) get(id chunk.ID) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.at[id]
	if !ok {
		return nil
	}
	return slices.Clone(n.plain[at[0]:at[1]])
}
