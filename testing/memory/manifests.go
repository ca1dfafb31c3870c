package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"loggia/internal/digest"
	"loggia/testing/measure"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// A full disk of 1 TiB has more leaves, 2 GB of them, than may be in memory: they are generated
// when they are asked for, as a store would read them.
const (
	fullSize    = 1 << 40
	differences = 16
)

// manifestResult is what comparing two of them took.
type manifestResult struct {
	Leaves      int   `json:"leaves"`
	Chunks      int64 `json:"chunks"`
	Differences int   `json:"differences"`
	NodesRead   int   `json:"nodesRead"`
	NodeBytes   int64 `json:"nodeBytes"`

	Cost measure.Cost `json:"cost"`
}

// generated is two trees whose leaves are made anew at each reading.
type generated struct {
	inner  map[chunk.ID][]byte
	leaves map[chunk.ID][2]int64 // release and span
	length uint32                // of every chunk but a span's last
	read   int
	bytes  int64
}

// leaf is that of a span in a release, where differences spans differ.
func (g *generated) leaf(release, at int64) *manifest.Leaf {
	p := chunk.DefaultParams()
	var seed [24]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(at))
	if spans := int64(fullSize / p.Span); at%(spans/differences) == 0 {
		binary.LittleEndian.PutUint64(seed[8:], uint64(release))
	}
	l := &manifest.Leaf{}
	for off := uint64(0); off < p.Span; off += uint64(g.length) {
		binary.LittleEndian.PutUint64(seed[16:], off)
		l.AddChunk(chunk.Ref{ID: digest.Of(seed[:]), Length: uint32(min(uint64(g.length), p.Span-off))})
	}
	return l
}

// Node implements manifest.Getter.
func (g *generated) Node(_ context.Context, id chunk.ID) ([]byte, error) {
	node, ok := g.inner[id]
	if !ok {
		place, ok := g.leaves[id]
		if !ok {
			return nil, fmt.Errorf("no node %s", id)
		}
		var err error
		if node, err = g.leaf(place[0], place[1]).Encode(chunk.DefaultParams(), int64(chunk.DefaultParams().Span)); err != nil {
			return nil, err
		}
	}
	g.read++
	g.bytes += int64(len(node))
	return node, nil
}

// build makes the tree of a release and keeps its inner nodes.
func (g *generated) build(ctx context.Context, release int64) (manifest.Root, error) {
	p := chunk.DefaultParams()
	keep := false
	b, err := manifest.NewBuilder(p, fullSize, func(_ context.Context, id chunk.ID, node []byte) error {
		if keep {
			g.inner[id] = append([]byte(nil), node...)
		}
		return nil
	})
	if err != nil {
		return manifest.Root{}, err
	}
	for at := range int64(fullSize / p.Span) {
		ref, err := b.AddLeaf(ctx, at, g.leaf(release, at))
		if err != nil {
			return manifest.Root{}, err
		}
		g.leaves[ref.ID] = [2]int64{release, at}
	}
	keep = true
	return b.Finish(ctx)
}

// compareManifests builds two releases and lists the spans that differ.
func compareManifests(ctx context.Context) (manifestResult, error) {
	g := &generated{inner: map[chunk.ID][]byte{}, leaves: map[chunk.ID][2]int64{}, length: chunk.DefaultParams().Average}
	var roots [2]manifest.Root
	for i := range roots {
		var err error
		if roots[i], err = g.build(ctx, int64(i+1)); err != nil {
			return manifestResult{}, err
		}
	}
	r := manifestResult{Leaves: int(fullSize / chunk.DefaultParams().Span), Chunks: roots[0].Chunks}
	err := manifest.Diff(ctx, g, roots[0], roots[1], func(int64, *manifest.Leaf, *manifest.Leaf) error {
		r.Differences++
		return nil
	})
	r.NodesRead, r.NodeBytes = g.read, g.bytes
	return r, err
}

// manifests compares in a process of its own, whose memory is measured.
func (b *bench) manifests(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "-manifest")
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout = in
	cost, err := measure.Probe{}.Run(ctx, cmd)
	in.Close()
	if err != nil {
		return fmt.Errorf("compare manifests: %w", err)
	}
	b.Manifest = &manifestResult{}
	if err := json.NewDecoder(out).Decode(b.Manifest); err != nil {
		return fmt.Errorf("compare manifests: %w", err)
	}
	b.Manifest.Cost = cost
	return nil
}
