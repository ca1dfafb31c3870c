package bare

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"loggia/blobstore"
	"loggia/blobstore/filesystem"
	"loggia/transfer/serve/servetest"
)

// TestSteps publishes, copies and pulls two versions, each step with nothing but what the one before it left.
func TestSteps(t *testing.T) {
	for _, how := range [][2]string{{"publish", "replicate"}, {"publish-checked", "blind"}, {"publish", "hashed"}, {"publish", "relayed"}} {
		t.Run(how[0]+" "+how[1], func(t *testing.T) { testSteps(t, how[0], how[1]) })
	}
}

// TestPut writes a file as it is: its pieces in order are the file.
func TestPut(t *testing.T) {
	dir := t.TempDir()
	want := servetest.NewDisk(servetest.Random(t), 2*piece+12345)
	image := filepath.Join(dir, "rand.raw")
	if err := os.WriteFile(image, want, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := filesystem.Open(filepath.Join(dir, regionA), filesystem.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := &task{work: dir, image: image, name: "rand", dial: func(string, blobstore.Checksum) (blobstore.Store, error) { return s, nil }}
	if err := k.run(t.Context(), "put"); err != nil {
		t.Fatal(err)
	}
	var got []byte
	err = s.List(t.Context(), "", "", func(i blobstore.Info) error {
		r, err := s.Get(t.Context(), i.Key, 0, -1)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		got = append(got, b...)
		return errors.Join(err, r.Close())
	})
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes were written that are not the file's %d; %v", len(got), len(want), err)
	}
}

func testSteps(t *testing.T, publish, replicate string) {
	dir := t.TempDir()
	r := servetest.Random(t)
	v1 := servetest.NewDisk(r, 16<<20)
	disks := map[string]servetest.Disk{"v1": v1, "v2": servetest.Change(r, v1, 5)}
	do := func(step, name, seed string) {
		t.Helper()
		k := &task{work: dir, image: filepath.Join(dir, name+".raw"), name: name, out: filepath.Join(dir, "out.raw"), seed: seed,
			dial: func(region string, _ blobstore.Checksum) (blobstore.Store, error) {
				return filesystem.Open(filepath.Join(dir, region), filesystem.Options{})
			}}
		if err := k.run(t.Context(), step); err != nil {
			t.Fatal(err)
		}
		switch step {
		case "pull":
		case replicate:
			if step != "replicate" { // they do not know what they copy
				k.known.Live[regionB] = k.known.Live[regionA]
			}
			if err := k.pullFrom(t.Context(), regionB); err != nil {
				t.Fatal(err)
			}
		default:
			return
		}
		if got, err := os.ReadFile(k.out); err != nil || !bytes.Equal(got, disks[name]) {
			t.Fatalf("%s: what was pulled is another disk; %v", name, err)
		}
	}
	for name, d := range disks {
		if err := os.WriteFile(filepath.Join(dir, name+".raw"), d, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do("prepare", "", "")
	for _, name := range []string{"v1", "v2"} {
		do(publish, name, "")
		do(replicate, name, "")
		do("pull", name, "")
	}
	do("pull", "v2", filepath.Join(dir, "v1.raw"))
}
