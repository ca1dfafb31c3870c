package known

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"loggia/diskformat"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// magic begins a kept manifest, and recordHead is the length of what comes before each node.
const (
	magic      = "loggia known 1\n"
	recordHead = 32 + 4
)

// ErrDamaged is returned for what is no kept manifest.
var ErrDamaged = errors.New("damaged manifest of a local image")

// Manifest is one that was kept, in memory.
type Manifest struct {
	root  chunk.ID
	nodes map[chunk.ID][]byte
}

// Open reads the manifest of the file with that stamp; fs.ErrNotExist says that there is none.
func (d Folder) Open(s diskformat.Stamp) (*Manifest, error) {
	f, err := os.Open(d.path(s))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	m, err := parse(b)
	if err != nil {
		return nil, err
	}
	d.used(s)
	return m, nil
}

// parse refers to b.
func parse(b []byte) (*Manifest, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrDamaged, MaxBytes)
	}
	b, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin like one", ErrDamaged)
	}
	m := &Manifest{nodes: make(map[chunk.ID][]byte)}
	for len(b) >= recordHead {
		id, n := chunk.ID(b[:32]), binary.LittleEndian.Uint32(b[32:recordHead])
		b = b[recordHead:]
		if n == 0 && len(b) == 0 {
			m.root = id
			return m, nil
		}
		if n == 0 || int64(n) > int64(len(b)) || n > manifest.MaxNode {
			return nil, fmt.Errorf("%w: a node of %d bytes where %d follow", ErrDamaged, n, len(b))
		}
		m.nodes[id] = b[:n:n]
		b = b[n:]
	}
	return nil, fmt.Errorf("%w: it ends early", ErrDamaged)
}

// Chunks calls fn for every chunk and its guest offset, in order of address; every node is checked against the root.
func (m *Manifest) Chunks(ctx context.Context, fn func(ref chunk.Ref, at int64) error) error {
	root, err := manifest.Open(ctx, m, m.root)
	if err != nil {
		return err
	}
	size := root.Shape().Span
	return manifest.Walk(ctx, m, root, func(span int64, leaf *manifest.Leaf) error {
		at := span * size
		for _, e := range leaf.Entries {
			if !e.Hole() {
				if err := fn(chunk.Ref{ID: e.ID, Length: e.Length}, at); err != nil {
					return err
				}
			}
			at += int64(e.Length)
		}
		return nil
	})
}

// Node implements manifest.Getter.
func (m *Manifest) Node(_ context.Context, id chunk.ID) ([]byte, error) {
	b, ok := m.nodes[id]
	if !ok {
		return nil, fmt.Errorf("%w: node %s is missing", ErrDamaged, id.Short())
	}
	return b, nil
}
