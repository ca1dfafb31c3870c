package state

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"loggia/gallery"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func commit(t *testing.T, s *State, index uint64, write func(*Tx)) {
	t.Helper()
	tx := s.Begin(index, 1, start)
	write(tx)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestTables puts and deletes a row of every type.
func TestTables(t *testing.T) {
	s := New()
	empty := s.View().Meta().Sum
	commit(t, s, 1, func(tx *Tx) {
		roundTrip(tx, &gallery.Cluster{})
		roundTrip(tx, &gallery.Region{})
		roundTrip(tx, &gallery.Store{})
		roundTrip(tx, &gallery.Node{})
		roundTrip(tx, &gallery.AccessToken{})
		roundTrip(tx, &gallery.JoinToken{})
		roundTrip(tx, &gallery.Gallery{})
		roundTrip(tx, &gallery.Image{})
		roundTrip(tx, &gallery.ImageVersion{Disks: []gallery.VersionDisk{{Disk: "d"}, {Disk: "e"}}})
		roundTrip(tx, &gallery.Disk{})
		roundTrip(tx, &gallery.Replica{Claim: &gallery.Claim{Epoch: 1}})
		roundTrip(tx, &gallery.Upload{State: gallery.UploadOpen, Expires: start})
		roundTrip(tx, &gallery.Repository{})
		roundTrip(tx, &gallery.Tombstone{})
		roundTrip(tx, &Request{})
		roundTrip(tx, &gallery.Tenant{})
		roundTrip(tx, &gallery.Subscription{})
		roundTrip(tx, &gallery.ResourceGroup{Deleting: true})
		roundTrip(tx, &gallery.Principal{AppID: "a", UserName: "u", External: &gallery.ExternalIdentity{}, Groups: []gallery.PrincipalID{"g", "h"}})
		roundTrip(tx, &gallery.RoleDefinition{})
		roundTrip(tx, &gallery.RoleAssignment{Scope: "/"})
		roundTrip(tx, &gallery.Issuer{})
		roundTrip(tx, &gallery.SigningKey{})
		roundTrip(tx, &gallery.Operation{Status: gallery.OperationInProgress, Deadline: start})
		roundTrip(tx, &gallery.Snapshot{Disk: "d"})
		roundTrip(tx, &gallery.Limit{Key: gallery.LimitKey{From: "a", To: "b"}})
		roundTrip(tx, &gallery.Distance{Pair: gallery.PairOf("b", "a")})
	})
	if s.View().Meta().Sum != empty {
		t.Error("what was put and deleted left a trace in the sum")
	}
}

func roundTrip[T Row](tx *Tx, row *T) {
	Put(tx, row)
	Put(tx, row)
	Delete(tx, row)
	Delete(tx, row)
}

// TestSum holds that the sum depends on the rows, not on how they came.
func TestSum(t *testing.T) {
	a, b := New(), New()
	regions := func(s *State, names ...string) {
		for i, n := range names {
			commit(t, s, uint64(i+1), func(tx *Tx) { Put(tx, &gallery.Region{Name: gallery.RegionName(n)}) })
		}
	}
	regions(a, "x", "y", "z")
	regions(b, "z", "w", "y", "x", "x")
	if a.View().Hash() == b.View().Hash() {
		t.Fatal("different rows, equal hash")
	}
	commit(t, b, 9, func(tx *Tx) { Delete(tx, &gallery.Region{Name: "w"}) })
	if a.View().Hash() != b.View().Hash() {
		t.Fatal("equal rows, different hash")
	}
}

func TestViewStays(t *testing.T) {
	s := New()
	commit(t, s, 1, func(tx *Tx) { Put(tx, &gallery.Region{Name: "x"}) })
	v := s.View()
	tx := s.Begin(2, 1, start)
	Put(tx, &gallery.Region{Name: "y"})
	if len(v.Regions()) != 1 || len(tx.Regions()) != 2 || len(s.View().Regions()) != 1 {
		t.Fatal("a write is seen by its own transaction only, until it is committed")
	}
	tx.Abort()
	commit(t, s, 2, func(tx *Tx) { Delete(tx, &gallery.Region{Name: "x"}) })
	if len(v.Regions()) != 1 || len(s.View().Regions()) != 0 {
		t.Fatal("a view stays as it is")
	}
}

func TestVersionsInNumericOrder(t *testing.T) {
	s := New()
	image := gallery.ImageRef{GalleryRef: gallery.GalleryRef{Subscription: "s", Gallery: "G"}, Image: "I"}
	commit(t, s, 1, func(tx *Tx) {
		for _, patch := range []uint32{10, 9, 1 << 30, 256, 255} {
			Put(tx, &gallery.ImageVersion{Ref: gallery.VersionRef{ImageRef: image, Version: gallery.Version{Patch: patch}}})
		}
		other := image
		other.Image = "I2"
		Put(tx, &gallery.ImageVersion{Ref: gallery.VersionRef{ImageRef: other}})
	})
	var got []uint32
	for _, v := range s.View().Versions(image.Fold()) {
		got = append(got, v.Ref.Version.Patch)
	}
	if !slices.Equal(got, []uint32{9, 10, 255, 256, 1 << 30}) {
		t.Fatal(got)
	}
}

// TestWatchMany holds that a watch above its bound still wakes.
func TestWatchMany(t *testing.T) {
	s := New()
	v, w := s.View().Watched()
	for i := range 3 * maxWatched {
		v.Region(gallery.RegionName(fmt.Sprint("r", i)))
	}
	commit(t, s, 1, func(tx *Tx) { Put(tx, &gallery.Region{Name: gallery.RegionName(fmt.Sprint("r", 3*maxWatched-1))}) })
	if err := w.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}
