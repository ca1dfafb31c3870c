package state

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"loggia/gallery"
)

// TestAssignmentsByScope holds that scopes are cut at whole segments and that case does not count.
func TestAssignmentsByScope(t *testing.T) {
	s := New()
	commit(t, s, 1, func(tx *Tx) {
		for i, scope := range []string{"/", "/subscriptions/a", "/subscriptions/A/resourceGroups/x", "/subscriptions/ab", "/subscriptions/a/resourcegroups/xy"} {
			Put(tx, &gallery.RoleAssignment{ID: gallery.AssignmentID(rune('0' + i)), Scope: scope, Principal: "p", Role: gallery.RoleID(rune('0' + i))})
		}
	})
	v := s.View()
	ids := func(rows []*gallery.RoleAssignment) string {
		var out []string
		for _, a := range rows {
			out = append(out, string(a.ID))
		}
		slices.Sort(out)
		return strings.Join(out, "")
	}
	for _, x := range []struct{ scope, at, under string }{
		{"/", "0", "01234"}, {"/Subscriptions/a", "1", "124"}, {"/subscriptions/a/resourceGroups/X", "2", "2"}, {"/subscriptions", "", "1234"},
	} {
		if at, under := ids(v.AssignmentsAt(x.scope)), ids(v.AssignmentsUnder(x.scope)); at != x.at || under != x.under {
			t.Errorf("%s: at %q, under %q; want %q, %q", x.scope, at, under, x.at, x.under)
		}
	}
	if got := ids(v.AssignmentsOf("p")); got != "01234" {
		t.Errorf("of the principal: %q", got)
	}
	if a := v.AssignmentOf("p", "2", "/SUBSCRIPTIONS/a/resourceGroups/x"); a == nil || a.ID != "2" {
		t.Errorf("the grant: %v", a)
	}
	if a := v.Assignment("/subscriptions/ab", "3"); a == nil || v.Assignment("/subscriptions/a", "3") != nil {
		t.Errorf("by id within its scope: %v", a)
	}
}

func TestGroupsOf(t *testing.T) {
	s := New()
	commit(t, s, 1, func(tx *Tx) {
		group := func(id gallery.PrincipalID, tenant gallery.TenantID, disabled bool, in ...gallery.PrincipalID) {
			Put(tx, &gallery.Principal{ID: id, Tenant: tenant, Kind: gallery.KindGroup, Disabled: disabled, Groups: in})
		}
		group("a", "t", false, "b", "gone")
		group("b", "t", false, "c", "a", "off", "foreign")
		group("c", "t", false)
		group("off", "t", true, "behind")
		group("behind", "t", false)
		group("foreign", "u", false)
		group("told", "t", false)
		Put(tx, &gallery.Principal{ID: "user", Tenant: "t", Kind: gallery.KindUser, Groups: []gallery.PrincipalID{"a"}})
	})
	v := s.View()
	got := v.GroupsOf(v.Principal("user"), "told", "user")
	if want := []gallery.PrincipalID{"a", "told", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if m := v.Members("a"); len(m) != 2 {
		t.Errorf("members of a: %v", m)
	}
}

// TestDefaults holds that a cluster founded before there were tenants has its default ones.
func TestDefaults(t *testing.T) {
	s := New()
	commit(t, s, 1, func(tx *Tx) { Put(tx, &gallery.Cluster{ID: "c", Tenant: "t", Subscription: "s", Created: start}) })
	v := s.View()
	if v.Tenant("t") == nil || len(v.Tenants()) != 1 || v.Subscription("s") == nil || len(v.Subscriptions("t")) != 1 || len(v.Subscriptions("u")) != 0 {
		t.Error("the defaults are missing")
	}
	commit(t, s, 2, func(tx *Tx) { Put(tx, &gallery.Tenant{ID: "t", Name: "mine"}) })
	if v := s.View(); v.Tenant("t").Name != "mine" || len(v.Tenants()) != 1 {
		t.Error("a row of its own counts")
	}
}

func TestApplicationsApart(t *testing.T) {
	s := New()
	ref := gallery.GalleryRef{Subscription: "s", Gallery: "g"}
	commit(t, s, 1, func(tx *Tx) {
		for _, k := range []gallery.ArtifactKind{gallery.ArtifactImage, gallery.ArtifactApplication} {
			for _, n := range []gallery.ImageName{"a", "b"} {
				Put(tx, &gallery.Image{Ref: gallery.ImageRef{GalleryRef: ref, Image: n, Kind: k}, Identifier: gallery.Identifier{SKU: string(n)}})
			}
		}
	})
	v := s.View()
	if a, i, all := v.Applications(ref), v.Images(ref), v.Artifacts(ref); len(a) != 2 || len(i) != 2 || len(all) != 4 {
		t.Errorf("%d applications, %d images, %d in all", len(a), len(i), len(all))
	}
}

func TestOperationsByTime(t *testing.T) {
	s := New()
	version := gallery.VersionRef{ImageRef: gallery.ImageRef{GalleryRef: gallery.GalleryRef{Subscription: "s", Gallery: "g"}, Image: "i"}}
	commit(t, s, 1, func(tx *Tx) {
		Put(tx, &gallery.Operation{ID: "open", Status: gallery.OperationInProgress, Version: &version, Deadline: start.Add(time.Hour)})
		Put(tx, &gallery.Operation{ID: "ended", Status: gallery.OperationSucceeded, Version: &version, Ended: start})
	})
	v := s.View()
	if n := len(v.OpenOperations()); n != 1 || len(v.OperationsOfVersion(version)) != 1 {
		t.Errorf("%d open", n)
	}
	if len(v.OperationsDue(start, 9)) != 0 || len(v.OperationsDue(start.Add(time.Hour), 9)) != 1 || len(v.OperationsDue(start.Add(time.Hour), 0)) != 0 {
		t.Error("due by deadline")
	}
	if len(v.OperationsEnded(start, 9)) != 1 || len(v.OperationsEnded(start.Add(-time.Second), 9)) != 0 {
		t.Error("ended by time")
	}
}

// TestFirstTables holds that a state without rows of later tables gives a snapshot that names none (C7).
func TestFirstTables(t *testing.T) {
	s := New()
	commit(t, s, 1, func(tx *Tx) { Put(tx, &gallery.Region{Name: "a"}) })
	names := func() bool {
		var b bytes.Buffer
		if err := s.View().Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(b.Bytes())); err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(b.Bytes(), []byte("signingKey"))
	}
	if names() {
		t.Error("a table without rows is named")
	}
	commit(t, s, 2, func(tx *Tx) { Put(tx, &gallery.SigningKey{ID: "k"}) })
	if !names() {
		t.Error("a table with rows is not named")
	}
}
