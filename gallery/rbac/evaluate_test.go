package rbac

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// at returns an assignment of a built-in role.
func at(t testing.TB, role, scope string) Assignment {
	t.Helper()
	r, ok := BuiltInByID(role)
	if !ok {
		t.Fatalf("no role %s", role)
	}
	return Assignment{ID: role[:8], Role: r.Name, Scope: scope, Permissions: r.Permissions}
}

const (
	galleryRead   = "Microsoft.Compute/galleries/read"
	galleryWrite  = "Microsoft.Compute/galleries/write"
	galleryDelete = "Microsoft.Compute/galleries/delete"
	galleryShare  = "Microsoft.Compute/galleries/share/action"
	imageRead     = "Microsoft.Compute/galleries/images/read"
	imageWrite    = "Microsoft.Compute/galleries/images/write"
	versionRead   = "Microsoft.Compute/galleries/images/versions/read"
	versionWrite  = "Microsoft.Compute/galleries/images/versions/write"
	appRead       = "Microsoft.Compute/galleries/applications/read"
	assign        = "Microsoft.Authorization/roleAssignments/write"
	unassign      = "Microsoft.Authorization/roleAssignments/delete"
	assignRead    = "Microsoft.Authorization/roleAssignments/read"
	lock          = "Microsoft.Authorization/locks/write"
	elevate       = "Microsoft.Authorization/elevateAccess/action"
	groupRead     = "Microsoft.Resources/subscriptions/resourceGroups/read"
	groupWrite    = "Microsoft.Resources/subscriptions/resourceGroups/write"
	deploy        = "Microsoft.Resources/deployments/write"
	capsRead      = "Microsoft.Compute/locations/capsOperations/read"
	snapshotWrite = "Microsoft.Compute/snapshots/write"
	clusterRead   = "Loggia.Cluster/regions/read"
	promote       = "Loggia.Cluster/members/promote/action"
)

// TestBuiltInRoles is the matrix of what Azure documents for each role.
func TestBuiltInRoles(t *testing.T) {
	for _, x := range []struct {
		role   string
		may    []string
		mayNot []string
	}{
		{Owner, []string{galleryRead, galleryShare, versionWrite, assign, lock, elevate, groupWrite, promote}, nil},
		{
			Contributor, []string{galleryRead, galleryWrite, galleryDelete, versionWrite, assignRead, groupWrite, deploy, snapshotWrite, promote},
			[]string{galleryShare, assign, unassign, lock, elevate, "Microsoft.Compute/Galleries/Share/Action", "Microsoft.Subscription/cancel/action"},
		},
		{
			Reader, []string{galleryRead, versionRead, appRead, assignRead, groupRead, capsRead, clusterRead},
			[]string{galleryWrite, galleryDelete, galleryShare, assign, promote},
		},
		{
			UserAccessAdministrator, []string{galleryRead, versionRead, assign, unassign, lock, elevate, "Microsoft.Authorization/roleDefinitions/write"},
			[]string{galleryWrite, versionWrite, galleryShare, groupWrite, promote},
		},
		{GallerySharingAdmin, []string{galleryShare}, []string{galleryRead, imageRead, versionRead, galleryWrite, assign}},
		{
			GalleryPublisher, []string{galleryRead, galleryWrite, galleryDelete, imageWrite, versionWrite, appRead, capsRead, deploy, groupRead, assignRead,
				"Microsoft.Compute/disks/write", "Microsoft.Compute/images/read", "Microsoft.Compute/locations/sharedGalleries/images/versions/read"},
			[]string{galleryShare, assign, lock, groupWrite, snapshotWrite, "Microsoft.Compute/disks/read", clusterRead},
		},
		{
			GalleryImageReader, []string{imageRead, versionRead},
			[]string{galleryRead, appRead, imageWrite, versionWrite, galleryShare, groupRead},
		},
	} {
		all := []Assignment{at(t, x.role, testSubscription)}
		for _, action := range x.may {
			if d := Evaluate(all, action, false, testGallery); !d.Allowed {
				t.Errorf("%s may not %s: %s", all[0].Role, action, d.Reason())
			}
		}
		for _, action := range x.mayNot {
			if d := Evaluate(all, action, false, testGallery); d.Allowed {
				t.Errorf("%s may %s: %s", all[0].Role, action, d.Reason())
			}
		}
		if d := Evaluate(all, versionRead, true, testGallery); d.Allowed {
			t.Errorf("%s has a data action that no built-in role has: %s", all[0].Role, d.Reason())
		}
	}
}

func TestEvaluate(t *testing.T) {
	other := testGroup + "/providers/Microsoft.Compute/galleries/other"
	dataRole := Assignment{ID: "d", Role: "data", Scope: testGallery, Permissions: []Permission{{
		Actions: []string{galleryRead}, DataActions: []string{"Microsoft.Compute/*/read"}, NotDataActions: []string{versionRead},
	}}}
	twice := Assignment{ID: "2", Role: "two permissions", Scope: testGallery, Permissions: []Permission{
		{Actions: []string{"*"}, NotActions: []string{"*/write", "*/action"}}, {Actions: []string{versionWrite}},
	}}
	for _, x := range []struct {
		name        string
		assignments []Assignment
		action      string
		data        bool
		resource    string
		want        bool
		by          string // id of the assignment in the reason
		reason      string // a part of it
	}{
		{"nobody", nil, galleryRead, false, testGallery, false, "", "no assignment at " + testGallery + " or above"},
		{"reader of a definition: its versions", []Assignment{at(t, GalleryImageReader, testImage)}, versionRead, false, testVersion, true, "cf7c76d2", "by " + versionRead},
		{"reader of a definition: not the gallery", []Assignment{at(t, GalleryImageReader, testImage)}, galleryRead, false, testGallery, false, "", "no assignment"},
		{"reader of a definition: not its neighbour", []Assignment{at(t, GalleryImageReader, testImage)}, versionRead, false, testGallery + "/images/i2/versions/1.0.0", false, "", "no assignment"},
		{"reader of a gallery: all below", []Assignment{at(t, Reader, testGallery)}, versionRead, false, testVersion, true, "acdd72a7", "by */read"},
		{"reader of a gallery: not another", []Assignment{at(t, Reader, testGallery)}, galleryRead, false, other, false, "", "no assignment"},
		{"contributor does not share", []Assignment{at(t, Contributor, testSubscription)}, galleryShare, false, testGallery, false, "b24988ac", "excludes"},
		{"contributor and sharing admin share", []Assignment{at(t, Contributor, testSubscription), at(t, GallerySharingAdmin, testGallery)}, galleryShare, false, testGallery, true, "1ef6a3be", "Sharing Admin"},
		{"the same in the other order", []Assignment{at(t, GallerySharingAdmin, testGallery), at(t, Contributor, testSubscription)}, galleryShare, false, testGallery, true, "1ef6a3be", "Sharing Admin"},
		{"publisher and sharing admin elsewhere", []Assignment{at(t, GalleryPublisher, testGallery), at(t, GallerySharingAdmin, other)}, galleryShare, false, testGallery, false, "85a2d0d9", "excludes"},
		{"exclusion below a grant", []Assignment{at(t, Owner, testSubscription), at(t, Contributor, testGallery)}, galleryShare, false, testGallery, true, "8e3af657", "Owner"},
		{"reader writes nothing", []Assignment{at(t, Reader, testGroup)}, versionWrite, false, testVersion, false, "", "none of the 1 assignments"},
		{"owner at the root", []Assignment{at(t, Owner, Root)}, promote, false, Root, true, "8e3af657", "at / grants"},
		{"owner of a subscription: not the root", []Assignment{at(t, Owner, testSubscription)}, promote, false, Root, false, "", "no assignment at / or above"},
		{"owner is no reader of data", []Assignment{at(t, Owner, Root)}, versionRead, true, testVersion, false, "", "none of the 1"},
		{"data action", []Assignment{dataRole}, imageRead, true, testImage, true, "d", "Microsoft.Compute/*/read"},
		{"data action excluded", []Assignment{dataRole}, versionRead, true, testVersion, false, "d", "excludes"},
		{"data action is no action", []Assignment{dataRole}, imageRead, false, testImage, false, "", "none of the 1"},
		{"one permission gives what its sister excludes", []Assignment{twice}, versionWrite, false, testVersion, true, "2", "grants"},
		{"both permissions refuse", []Assignment{twice}, imageWrite, false, testImage, false, "2", "by */write"},
		{"malformed resource", []Assignment{at(t, Owner, Root)}, galleryRead, false, testGallery + "/../x", false, "", "no canonical id"},
		{"empty action", []Assignment{at(t, Owner, Root)}, "", false, testGallery, false, "", "no assignment"},
		{"scope of nothing", []Assignment{at(t, Owner, "")}, galleryRead, false, testGallery, false, "", "no assignment"},
		{"endless action", []Assignment{at(t, Owner, Root)}, strings.Repeat("a", MaxAction+1), false, testGallery, false, "", "none of the 1"},
	} {
		d := Evaluate(x.assignments, x.action, x.data, x.resource)
		by := ""
		if d.By != nil {
			by = d.By.ID
		}
		if d.Allowed != x.want || by != x.by || !strings.Contains(d.Reason(), x.reason) {
			t.Errorf("%s: got %v by %q (%s), want %v by %q (...%s...)", x.name, d.Allowed, by, d.Reason(), x.want, x.by, x.reason)
		}
		if reach := Where(x.assignments, x.action, x.data).Covers(x.resource); reach != x.want {
			t.Errorf("%s: Where: got %v, want %v", x.name, reach, x.want)
		}
	}
}

func TestPermissions(t *testing.T) {
	all := []Assignment{at(t, Reader, testGroup), at(t, GalleryImageReader, testImage), at(t, Owner, testGroup+"2")}
	got := Permissions(all, testGallery)
	if want := all[0].Permissions; !reflect.DeepEqual(got, want) {
		t.Errorf("at the gallery: got %v, want %v", got, want)
	}
	if got := Permissions(all, testVersion); len(got) != 2 {
		t.Errorf("at the version: got %v, want the two that reach it", got)
	}
	if got := Permissions(all, testVersion+"/"); got != nil {
		t.Errorf("at what is malformed: got %v", got)
	}
}

// seed prints the seed of a random test, LOGGIA_SEED where it is set.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := rand.Uint64()
	if text := os.Getenv("LOGGIA_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("LOGGIA_SEED: %v", err)
		}
	}
	t.Logf("LOGGIA_SEED=%d", s)
	return s
}

// world makes random questions over few words, so that many are answered with yes.
type world struct{ *rand.Rand }

func (w world) one(of ...string) string { return of[w.IntN(len(of))] }

func (w world) cased(s string) string {
	if w.IntN(4) == 0 {
		return strings.ToUpper(s)
	}
	return s
}

func (w world) scope() string {
	s := ""
	for range w.IntN(5) {
		s += "/" + w.one("a", "aa", "b")
	}
	if s == "" {
		return Root
	}
	return w.cased(s)
}

func (w world) action() string {
	s := w.one("m", "mm")
	for range w.IntN(3) {
		s += "/" + w.one("g", "i", "gi")
	}
	return w.cased(s + "/" + w.one("read", "write"))
}

func (w world) pattern() string {
	s := w.action()
	for range w.IntN(3) {
		i, j := w.IntN(len(s)+1), w.IntN(len(s)+1)
		s = s[:min(i, j)] + "*" + s[max(i, j):]
	}
	return s
}

func (w world) patterns(most int) []string {
	var all []string
	for range w.IntN(most + 1) {
		all = append(all, w.pattern())
	}
	return all
}

func (w world) assignment(id int) Assignment {
	a := Assignment{ID: fmt.Sprint(id), Role: "r", Scope: w.scope()}
	for range w.IntN(3) {
		a.Permissions = append(a.Permissions, Permission{w.patterns(2), w.patterns(2), w.patterns(2), w.patterns(2)})
	}
	return a
}

// slowAllowed is Evaluate as the documentation words it: what is given by any, less what the same one takes away.
func slowAllowed(all []Assignment, action string, data bool, resource string) bool {
	for _, a := range all {
		for _, p := range a.Permissions {
			give, take := p.Actions, p.NotActions
			if data {
				give, take = p.DataActions, p.NotDataActions
			}
			given, taken := false, false
			for _, s := range give {
				given = given || slowMatch(s, action)
			}
			for _, s := range take {
				taken = taken || slowMatch(s, action)
			}
			if given && !taken && slowCovers(a.Scope, resource) {
				return true
			}
		}
	}
	return false
}

func TestEvaluateAgainstModel(t *testing.T) {
	w := world{rand.New(rand.NewPCG(seed(t), 1))}
	yes := 0
	const rounds = 20000
	for range rounds {
		var all []Assignment
		for i := range w.IntN(5) {
			all = append(all, w.assignment(i))
		}
		action, data, resource := w.action(), w.IntN(2) == 0, w.scope()
		want := slowAllowed(all, action, data, resource)
		d := Evaluate(all, action, data, resource)
		if d.Allowed != want || Where(all, action, data).Covers(resource) != want {
			t.Fatalf("%s (data %v) on %s with %+v: got %v, reach %v, want %v", action, data, resource, all, d, Where(all, action, data), want)
		}
		if d.Allowed && !slowAllowed([]Assignment{*d.By}, action, data, resource) {
			t.Fatalf("%s (data %v) on %s with %+v: %s does not grant it alone", action, data, resource, all, d.Reason())
		}
		if d.Allowed {
			yes++
			more := append(all, w.assignment(9)) // nothing that one takes away is missing from what another gives
			if !Evaluate(more, action, data, resource).Allowed {
				t.Fatalf("%s (data %v) on %s: one assignment more takes it away: %+v", action, data, resource, more)
			}
		}
	}
	if yes < rounds/50 || yes > rounds*49/50 {
		t.Errorf("%d of %d are allowed: the questions do not tell right from wrong", yes, rounds)
	}
}

// BenchmarkEvaluate asks what the last of 1000 assignments answers, or none.
func BenchmarkEvaluate(b *testing.B) {
	var all []Assignment
	for i := range 999 {
		all = append(all, at(b, builtIns[i%len(builtIns)].ID, fmt.Sprintf("%s/images/i%d", testGallery, i)))
	}
	all = append(all, at(b, GalleryImageReader, testImage))
	for _, x := range []struct {
		name, action string
		want         bool
	}{{"granted", versionRead, true}, {"refused", versionWrite, false}} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if Evaluate(all, x.action, false, testVersion).Allowed != x.want {
					b.Fatal("wrong")
				}
			}
		})
	}
	b.Run("all reach", func(b *testing.B) {
		b.ReportAllocs()
		for i := range all {
			all[i] = at(b, GalleryPublisher, testSubscription)
		}
		for b.Loop() {
			if Evaluate(all, galleryShare, false, testVersion).Allowed {
				b.Fatal("wrong")
			}
		}
	})
}
