package imports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"loggia/blobstore"
	"loggia/gallery"
	"loggia/internal/outgoing"
)

func content(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// within lets the loop work for a while of the bubble's time.
func within(d time.Duration) {
	time.Sleep(d) // the bubble's clock, not ours
	synctest.Wait()
}

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, want := newRig(t), content(3<<20)
		r.fetch = func(*gallery.Import) (File, error) { return of(want) }
		r.snapshot(gallery.Import{ID: imp1, URI: "https://a.test/x"})
		defer r.start(self)()
		within(time.Second)
		if got := r.reports(); got != "[snapshot "+r.root(want)+"]" {
			t.Errorf("got %s, want the root of the bytes", got)
		}
		if len(r.requests) != 1 {
			t.Fatalf("%d uploads, want 1", len(r.requests))
		}
		for _, q := range r.requests {
			if q.Size != int64(len(want)) || q.Kind != string(gallery.ContentDisk) ||
				q.Target != "/subscriptions/00000000-0000-4000-8000-0000000000a1/resourceGroups/rg/providers/Microsoft.Compute/snapshots/snap" {
				t.Errorf("got %+v", q)
			}
		}
	})
}

// TestVersion: a version's disks are made each for itself, and a package may have any length.
func TestVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pack, conf := newRig(t), content(1<<20+7), content(13)
		r.fetch = func(i *gallery.Import) (File, error) {
			if i.URI == "https://a.test/conf" {
				return of(conf)
			}
			return of(pack)
		}
		v, err := gallery.ParseVersion("1.0.0")
		if err != nil {
			t.Fatal(err)
		}
		app := gallery.ImageRef{GalleryRef: gallery.GalleryRef{Subscription: ref.Subscription, Gallery: "g"}, Image: "app", Kind: gallery.ArtifactApplication}
		failed := gallery.Import{ID: "00000000-0000-4000-8000-000000000013", URI: "https://a.test/no", Reason: gallery.ReasonSourceMissing}
		put(r, &gallery.ImageVersion{Ref: gallery.VersionRef{ImageRef: app, Version: v}, Location: here, ResourceGroup: "rg", Imports: []gallery.DiskImport{
			{LUN: 0, Import: gallery.Import{ID: imp1, URI: "https://a.test/pack"}}, {LUN: 1, Import: gallery.Import{ID: imp2, URI: "https://a.test/conf"}}, {LUN: 2, Import: failed}}})
		defer r.start(self)()
		within(time.Second)
		got := r.reports()
		for id, b := range map[gallery.ImportID][]byte{imp1: pack, imp2: conf} {
			if !strings.Contains(got, string(id)+" "+r.root(b)) {
				t.Errorf("got %s, want %s with %s", got, id, r.root(b))
			}
		}
		if len(r.requests) != 2 {
			t.Errorf("%d uploads, want 2: what was given up is not tried", len(r.requests))
		}
		for _, q := range r.requests {
			if q.Kind != string(gallery.ContentBlob) || !strings.HasSuffix(q.Target, "/galleries/g/applications/app/versions/1.0.0") {
				t.Errorf("got %+v", q)
			}
		}
	})
}

func TestTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, tries := newRig(t), atomic.Int32{}
		r.fetch = func(*gallery.Import) (File, error) {
			if tries.Add(1) < 4 {
				return nil, blobstore.ErrUnavailable
			}
			return of(content(512))
		}
		r.snapshot(gallery.Import{ID: imp1, URI: "https://a.test/x"})
		defer r.start(self)()
		within(time.Minute)
		if got := r.reports(); tries.Load() != 4 || got != "[snapshot "+r.root(content(512))+"]" {
			t.Errorf("after %d tries: %s", tries.Load(), got)
		}
	})
}

// TestPatience: what may pass is tried for an hour, with pauses, and then given up for good.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, tries := newRig(t), atomic.Int32{}
		r.fetch = func(*gallery.Import) (File, error) { tries.Add(1); return nil, blobstore.ErrUnavailable }
		r.snapshot(gallery.Import{ID: imp1, URI: "https://a.test/x"})
		defer r.start(self)()
		within(patience - time.Minute)
		if got := r.reports(); got != "[]" {
			t.Errorf("too soon: %s", got)
		}
		within(3 * time.Minute)
		if got := r.reports(); got != "[failed Unreachable]" {
			t.Errorf("got %s", got)
		}
		n := tries.Load()
		if n < 30 || n > 1000 {
			t.Errorf("%d tries in an hour", n)
		}
		within(time.Hour)
		if tries.Load() != n {
			t.Error("it was tried after it was given up")
		}
	})
}

// TestGivenUp: what cannot pass fails at once, with a message that the log takes, whatever bytes the error holds.
func TestGivenUp(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		body []byte
		want gallery.Reason
	}{
		{"a forbidden origin", outgoing.ErrForbidden, nil, gallery.ReasonSourceForbidden},
		{"the source refuses", outgoing.ErrRefused, nil, gallery.ReasonSourceForbidden},
		{"missing", outgoing.ErrMissing, nil, gallery.ReasonSourceMissing},
		{"no such object", blobstore.ErrNotFound, nil, gallery.ReasonSourceMissing},
		{"too large", outgoing.ErrTooLarge, nil, gallery.ReasonSourceInvalid},
		{"packed", outgoing.ErrContent, nil, gallery.ReasonSourceInvalid},
		{"few odd bytes", fmt.Errorf("%w: \xff\xfe", outgoing.ErrInvalid), nil, gallery.ReasonSourceInvalid},
		{"many odd bytes", fmt.Errorf("%w: \xff\xfe %s", outgoing.ErrInvalid, strings.Repeat("ü", 600)), nil, gallery.ReasonSourceInvalid},
		{"no whole sectors", nil, content(1000), gallery.ReasonSourceInvalid},
		{"empty", nil, []byte{}, gallery.ReasonSourceInvalid},
		{"a broken qcow2", nil, append([]byte("QFI\xfb\x00\x00\x00\x03"), make([]byte, 504)...), gallery.ReasonSourceInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.fetch = func(*gallery.Import) (File, error) {
					if test.err != nil {
						return nil, test.err
					}
					return of(test.body)
				}
				r.snapshot(gallery.Import{ID: imp1, URI: "https://a.test/x"})
				defer r.start(self)()
				synctest.Wait()
				if got := r.reports(); got != "[failed "+string(test.want)+"]" {
					t.Fatalf("got %s, want %s", got, test.want)
				}
				if m := r.state.View().Snapshot(ref).Import.Message; m == "" || len(m) > gallery.MaxLastError || !utf8.ValidString(m) {
					t.Errorf("message of %d bytes: %q", len(m), m)
				}
			})
		})
	}
}

// TestStored: a disk of another domain is read where this region has a copy, and where it never will the failure says where it is.
func TestStored(t *testing.T) {
	replica := func(region gallery.RegionName) func(*rig) {
		return func(r *rig) {
			put(r, &gallery.Disk{ID: away, Size: 1 << 20})
			put(r, &gallery.Replica{Key: gallery.ReplicaKey{Disk: away, Region: region}})
		}
	}
	for _, test := range []struct {
		name    string
		prepare func(*rig)
		want    string // of the report, or "" for the root
		says    string
	}{
		{"deleted", func(*rig) {}, "[failed SourceMissing]", "deleted"},
		{"elsewhere", replica("there"), "[failed SourceMissing]", "there"},
		{"on its way", replica(here), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, want, tries := newRig(t), content(1<<20), 0
				r.stored = func(gallery.DiskID) (File, error) {
					if tries++; tries < 3 {
						return nil, &gallery.Error{Kind: gallery.ErrNotFound, Message: "no whole copy yet"}
					}
					return of(want)
				}
				test.prepare(r)
				r.snapshot(gallery.Import{ID: imp1, Source: away})
				defer r.start(self)()
				within(time.Minute)
				if test.want == "" {
					test.want = "[snapshot " + r.root(want) + "]"
				}
				if got := r.reports(); got != test.want {
					t.Fatalf("got %s, want %s", got, test.want)
				}
				if i := r.state.View().Snapshot(ref).Import; test.says != "" && !strings.Contains(i.Message, test.says) {
					t.Errorf("says %q, want %q", i.Message, test.says)
				}
			})
		})
	}
}

// TestWithdrawn: an import whose row goes is ended, and nobody reports about it.
func TestWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, tries := newRig(t), atomic.Int32{}
		r.fetch = func(*gallery.Import) (File, error) { tries.Add(1); return nil, errors.New("down") }
		r.snapshot(gallery.Import{ID: imp1, URI: "https://a.test/x"})
		defer r.start(self)()
		within(time.Second)
		put(r, &gallery.Snapshot{Ref: ref, Location: here, State: gallery.SnapshotSucceeded})
		synctest.Wait()
		n := tries.Load()
		within(2 * time.Hour)
		if got := r.reports(); got != "[]" || tries.Load() != n {
			t.Errorf("reports %s, %d tries after the end", got, tries.Load()-n)
		}
	})
}

// TestGoesOn: a node that ended after the upload was whole leaves only the report to be made.
func TestGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, tries := newRig(t), atomic.Int32{}
		r.fetch = func(*gallery.Import) (File, error) { tries.Add(1); return of(content(512)) }
		r.snapshot(gallery.Import{ID: imp1, URI: "https://a.test/x"})
		stop := r.start(self)
		synctest.Wait()
		stop()
		first := r.reports()
		r.snapshot(gallery.Import{ID: imp1, URI: "https://a.test/x"}) // as if the report had not come through
		defer r.start(self)()
		synctest.Wait()
		if got := r.reports(); tries.Load() != 1 || got != first[:len(first)-1]+" "+first[1:] {
			t.Errorf("%d fetches, reports %s", tries.Load(), got)
		}
	})
}

// TestShares: of the nodes that live exactly one takes an import; what a dead one had, another takes.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, tries := newRig(t), map[gallery.NodeID]int{}
		other := gallery.NodeID("00000000-0000-4000-8000-000000000002")
		put(r, &gallery.Node{ID: other, Region: here})
		v := r.state.View()
		loops := map[gallery.NodeID]*Loop{}
		for _, n := range []gallery.NodeID{self, other} {
			loops[n] = New(Options{Self: n, Region: here, Alive: func(id gallery.NodeID) bool { return !r.dead[id] }})
		}
		for i := range 100 {
			id := gallery.ImportID(fmt.Sprint(i))
			for n, l := range loops {
				if l.mine(v, id) {
					tries[n]++
				}
			}
		}
		if tries[self]+tries[other] != 100 || tries[self] < 20 || tries[other] < 20 {
			t.Errorf("shares: %v", tries)
		}
		r.dead[other] = true
		for i := range 100 {
			if !loops[self].mine(v, gallery.ImportID(fmt.Sprint(i))) {
				t.Errorf("import %d is nobody's", i)
			}
		}
	})
}
