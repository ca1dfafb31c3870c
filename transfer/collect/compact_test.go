package collect_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"loggia/blobstore"
	"loggia/transfer/collect"
	"loggia/transfer/manifest"
	"loggia/transfer/replicate"
	"loggia/transfer/scrub"
	"loggia/transfer/serve"
	"loggia/transfer/serve/servetest"
)

// scattered publishes two versions of which the second changes much, and deletes the first, so that most packs hold little that is live.
func scattered(t *testing.T, s blobstore.Store) *rig {
	g := newRig(t, s)
	d := servetest.NewDisk(g.rnd, 24<<20)
	g.publish(version(1), d)
	for at := 0; at+3<<20 < len(d); at += 6 << 20 { // the half of each pack
		copy(d[at:at+3<<20], servetest.NewDisk(g.rnd, 3<<20))
	}
	g.publish(version(2), servetest.Disk(append([]byte(nil), d...)), version(1))
	g.remove(version(1))
	return g
}

// TestCompactedServes holds that after compaction, when no frame table vouches for what was framed anew, a disk is read, copied to another
// region, and found whole by a check.
func TestCompactedServes(t *testing.T) { compactedServes(t, servetest.Memory()) }

func compactedServes(t *testing.T, s blobstore.Store) {
	g := scattered(t, s)
	r := g.mustCollect()
	if r.Compacted == 0 || r.CompactedChunks == 0 {
		t.Fatalf("nothing was compacted: %+v", r)
	}
	g.check()
	d := g.disks[version(2)]

	to := servetest.New(t, servetest.Memory())
	view := to.View()
	w := to.Writer(view)
	from := serve.Local{View: g.View(), Label: "compacted", Options: serve.Options{Pool: g.Reads, Decoder: g.Decoder, Encoder: g.Encoder}}
	var last replicate.Progress
	g.must(replicate.Run(t.Context(), replicate.NewTarget(view, w), replicate.Options{Disk: replicate.Identity{Root: d.Root, Table: d.Table},
		Sources: []replicate.Source{replicate.OneByOne(from)}, TempDir: t.TempDir(), Pool: to.Scratch, Decoder: to.Decoder, Progress: func(p replicate.Progress) { last = p }}))
	to.Finish(w, d.Result)
	to.Check(d.Result, d.bytes)
	if last.Total == 0 || last.Have+last.Sent != last.Total {
		t.Errorf("progress %+v", last)
	}

	g.clean()
}

// clean holds that a check finds nothing.
func (g *rig) clean() {
	g.t.Helper()
	var bad []scrub.Finding
	g.must(scrub.Run(context.Background(), scrub.Options{Repository: g.Repo, State: g.state(), TempDir: g.t.TempDir(), Found: func(f scrub.Finding) error {
		bad = append(bad, f)
		return nil
	}}))
	if len(bad) > 0 {
		g.t.Errorf("a check finds %+v", bad)
	}
}

// noise does not compress, and has no holes: its packs are full.
func (g *rig) noise(n int) servetest.Disk {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], g.rnd.Uint64())
	d := make(servetest.Disk, n)
	rand.NewChaCha8(seed).Read(d)
	return d
}

// TestCompactedLeavesNothing holds that a collection which keeps some packs of a segment and compacts others leaves no segment behind that
// nothing names.
func TestCompactedLeavesNothing(t *testing.T) {
	g := newRig(t, servetest.Memory())
	d := g.noise(48 << 20)
	g.publish(version(1), d)
	d = bytes.Clone(d)
	for at := 0; at+8<<20 <= len(d)/2; at += 8 << 20 {
		copy(d[at:], g.noise(6<<20))
	}
	g.publish(version(2), d, version(1))
	g.remove(version(1))
	if r := g.mustCollect(); r.Compacted == 0 || r.CompactedChunks == 0 {
		t.Fatalf("nothing was compacted: %+v", r)
	}
	g.clean()
	g.check()
}

// TestCompactedPublishes holds that a publish whose base was compacted takes what it shares from it, and that its own table is whole.
func TestCompactedPublishes(t *testing.T) {
	g := scattered(t, servetest.Memory())
	g.mustCollect()
	next := servetest.Change(g.rnd, g.disks[version(2)].bytes, 3)
	_, before := g.keys()
	g.publish(version(3), next, version(2))
	_, after := g.keys()
	if after-before > 6<<20 {
		t.Errorf("a small change took %d bytes", after-before)
	}
	g.check()
	view := g.View()
	root, err := manifest.Open(t.Context(), view, g.disks[version(3)].Root)
	g.must(err)
	table, err := manifest.OpenTable(t.Context(), view, g.disks[version(3)].Table, root)
	g.must(err)
	g.must(manifest.WalkTable(t.Context(), view, root, table, func(int64, *manifest.Leaf, *manifest.TableLeaf) error { return nil }))
	g.remove(version(2))
	g.mustCollect()
	g.check()
}

// TestLostWhileCompacting holds that a pack that turns out damaged ends the run, and that nothing is condemned.
func TestLostWhileCompacting(t *testing.T) {
	g := scattered(t, servetest.Memory())
	keys, _ := g.keys()
	for _, k := range keys {
		if k[len(g.Repo.Keys.Prefix())] != 'p' {
			continue
		}
		info, err := g.Store.Stat(t.Context(), k)
		g.must(err)
		g.must(g.Store.Put(t.Context(), k, make([]byte, info.Size)))
	}
	_, err := g.collect()
	wantStop(t, err, collect.ErrLost)
	if !g.condemned.List.IsZero() {
		t.Error("a list was committed")
	}
}
