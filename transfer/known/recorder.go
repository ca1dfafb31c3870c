package known

import (
	"context"
	"encoding/binary"
	"sync"

	"loggia/diskformat"
	"loggia/transfer/chunk"
)

// Recorder takes the nodes of one manifest as they are made or read. It is safe for many goroutines and holds at most MaxBytes:
// of a larger manifest it keeps nothing.
type Recorder struct {
	mu   sync.Mutex
	b    []byte
	seen map[chunk.ID]bool
	much bool // too much came
}

// NewRecorder makes an empty one.
func NewRecorder() *Recorder {
	return &Recorder{b: []byte(magic), seen: make(map[chunk.ID]bool)}
}

// Put takes a node; it is a manifest.PutFunc and never fails.
func (r *Recorder) Put(_ context.Context, id chunk.ID, node []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.much || r.seen[id]:
	case len(r.b)+len(node) > MaxBytes-2*recordHead:
		r.much, r.b, r.seen = true, nil, nil
	default:
		r.seen[id] = true
		r.b = appendRecord(r.b, id, node)
	}
	return nil
}

// Keep puts the manifest with that root into the folder, for the file with that stamp. A manifest that is too large, or of which
// nodes are missing, is not kept, which is no error.
func (r *Recorder) Keep(ctx context.Context, d Folder, s diskformat.Stamp, root chunk.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.much {
		return nil
	}
	b := appendRecord(r.b, root, nil)
	m, err := parse(b)
	if err != nil {
		return err
	}
	if err := m.Chunks(ctx, func(chunk.Ref, int64) error { return nil }); err != nil {
		return ctx.Err() // spans of an earlier run are not among what was put
	}
	return d.keep(s, b)
}

func appendRecord(b []byte, id chunk.ID, node []byte) []byte {
	b = append(b, id[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(node)))
	return append(b, node...)
}
