package e2e

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
	"loggia/transfer/pull"
)

// TestFramesOfOthersStay: two galleries of one tenant share chunks, and so frames. Who may read only one of them pulls it, and no frame that is
// sent for that holds a chunk of the other one alone; whoever may read both gets such frames as they are (S2).
func TestFramesOfOthersStay(t *testing.T) {
	c := develop(t, "a,b")
	dir := t.TempDir()
	n := seed(t)
	secret := image(t, filepath.Join(dir, "secret"), 8, n)
	ours := duplicate(t, secret, filepath.Join(dir, "ours"))
	for at := int64(256 << 10); at < 8*mib; at += 512 << 10 { // a chunk or two of each frame
		edit(t, ours, at, []byte("ours, and nobody else's"))
	}
	c.ok(t, "publish", secret, "secret/base/1.0.0", "--regions", "a,b")
	c.ok(t, "publish", ours, "ours/base/1.0.0", "--base", "secret/base/1.0.0", "--regions", "a,b")
	reader, r := c.join(t, "reader")
	c.ok(t, "acl", "role", "assign", "Compute Gallery Image Reader", reader.ID, "--scope", read[v1.Gallery](t, c.user, "gallery", "show", "ours").ID)

	for _, region := range []string{"a", "b"} {
		all := c.frames(t, region, c.user, "ours")
		if len(all.foreign) == 0 {
			t.Errorf("region %s: no frame holds chunks of both versions: this test shows nothing", region)
		}
		some := c.frames(t, region, r, "ours")
		if len(some.foreign) > 0 {
			t.Errorf("region %s: who may read one version got %d chunks of another", region, len(some.foreign))
		}
		t.Logf("region %s: %d chunks in %d frames to who may read everything, %d of them foreign; %d frames to who may not", region, len(all.asked), all.frames, len(all.foreign), some.frames)
		out := filepath.Join(dir, "out-"+region)
		at := r.with("LOGGIA_ADDRESS=" + c.address(region))
		at.ok(t, "pull", "ours/base/1.0.0", "-o", out)
		same(t, out, ours)
		at.fails(t, 4, nil, "pull", "secret/base/1.0.0", "-o", filepath.Join(dir, "no"))
	}
}

// sent is what a node sent of a disk.
type sent struct {
	asked   map[chunk.ID]bool // the disk's chunks: whether they came
	foreign map[chunk.ID]bool // what came besides
	frames  int
}

// frames asks a region for every chunk of the OS disk of a gallery's version base/1.0.0, as a user. It believes no frame: what it says that it holds is
// all that it holds.
func (c *cluster) frames(t *testing.T, region string, u user, gallery string) sent {
	t.Helper()
	cl, err := client.New(client.Options{Addresses: []string{c.address(region)}, Token: u.value("LOGGIA_TOKEN"), CACert: u.value("LOGGIA_CACERT")})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	dec, err := codec.NewDecoder(1)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	disk := cl.Disk(gallery, "base", "1.0.0", -1)
	out := sent{asked: only(t, disk), foreign: map[chunk.ID]bool{}}
	plain := make([]byte, frame.MaxPlain)
	err = disk.Fetch(t.Context(), []pull.Want{{IDs: slices.Collect(maps.Keys(out.asked))}}, false, func(stored []byte, refs []chunk.Ref) error {
		got, err := frame.Decode(plain[:0], stored, dec)
		if err != nil {
			return err
		}
		out.frames++
		for _, ref := range refs {
			b := got[:ref.Length]
			if got = got[ref.Length:]; digest.Of(b) != ref.ID {
				t.Errorf("a frame does not hold chunk %s", ref.ID.Short())
			}
			if _, ours := out.asked[ref.ID]; ours {
				out.asked[ref.ID] = true
			} else {
				out.foreign[ref.ID] = true
			}
		}
		if len(got) > 0 {
			t.Errorf("a frame holds %d bytes that it does not name", len(got))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, came := range out.asked {
		if !came {
			t.Errorf("chunk %s did not come", id.Short())
		}
	}
	return out
}

// only are the chunks of a disk of one span.
func only(t *testing.T, d *client.Disk) map[chunk.ID]bool {
	t.Helper()
	tree, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	node, err := tree.Next()
	if err != nil {
		t.Fatal(err)
	}
	root, err := manifest.DecodeRoot(node)
	if err != nil || root.Shape().Spans() != 1 {
		t.Fatalf("a disk of %d spans, %v", root.Shape().Spans(), err)
	}
	if node, err = tree.Next(); err != nil {
		t.Fatal(err)
	}
	leaf, err := manifest.DecodeLeaf(node, root.Params, root.Shape().SpanLength(0))
	if err != nil {
		t.Fatal(err)
	}
	out := map[chunk.ID]bool{}
	for _, ref := range leaf.Distinct() {
		out[ref.ID] = false
	}
	return out
}
