package pull

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"loggia/diskformat"
	"loggia/transfer/chunk"
	"loggia/transfer/known"
)

// remembered pulls a disk and returns what is known of it afterwards.
func remembered(t *testing.T, g *rig) *known.Manifest {
	t.Helper()
	nodes, dir := known.NewRecorder(), known.Folder(t.TempDir())
	o := g.options()
	o.Nodes = nodes.Put
	if _, err := Run(t.Context(), newNode(g.g, g.d), o); err != nil {
		t.Fatal(err)
	}
	s := diskformat.Stamp{Size: g.d.Size}
	if err := nodes.Keep(t.Context(), dir, s, g.d.Root); err != nil {
		t.Fatal(err)
	}
	m, err := dir.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestKnownSeed takes from a seed by what is known of it, and only what is still there.
func TestKnownSeed(t *testing.T) {
	both := newGenerations(t)
	old, v2 := both.old, both.v2
	m := remembered(t, both.to(t, both.v1, old))
	for name, seed := range map[string]SeedSource{
		"as it was": old,
		"changed":   changing{old, func(b []byte) { b[len(b)/2] ^= 1 }},
		"broken":    unreadable{old, errors.New("the seed's disk fails")},
		"shorter":   old[:10<<20+77],
	} {
		t.Run(name, func(t *testing.T) {
			g := both.to(t, v2, both.disk)
			o := g.options()
			o.Seed, o.Known = seed, m
			p, err := Run(t.Context(), newNode(g.g, g.d), o)
			if err != nil {
				t.Fatal(err)
			}
			g.check()
			if p.Done() != p.Total {
				t.Errorf("%+v", p)
			}
			if name == "as it was" && (p.Wire > v2.New+v2.New/4+1<<20 || p.Seeded == 0) {
				t.Errorf("%d bytes fetched, %d are new; %d from the seed", p.Wire, v2.New, p.Seeded)
			}
		})
	}
}

// failing knows half of something.
type failing struct{ *known.Manifest }

func (f failing) Chunks(ctx context.Context, fn func(chunk.Ref, int64) error) error {
	n := 0
	return f.Manifest.Chunks(ctx, func(ref chunk.Ref, at int64) error {
		if n++; n > 10 {
			return known.ErrDamaged
		}
		return fn(ref, at)
	})
}

// TestKnownFails cuts the seed where what is known of it is damaged.
func TestKnownFails(t *testing.T) {
	g := newRig(t, 16<<20)
	m := remembered(t, g)
	g.out = filepath.Join(t.TempDir(), "again.raw")
	o := g.options()
	o.Seed, o.Known = g.disk, failing{m}
	p, err := Run(t.Context(), newNode(g.g, g.d), o)
	if err != nil {
		t.Fatal(err)
	}
	g.check()
	if p.Wire != 0 || p.Seeded != p.Total {
		t.Errorf("%+v", p)
	}
}
