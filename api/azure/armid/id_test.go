package armid

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"loggia/gallery"
	"loggia/gallery/rbac"
)

const (
	uuid    = "0f3e1c52-98a3-4358-a134-615aa78bf44d"
	sub     = "/subscriptions/" + uuid
	group   = sub + "/resourceGroups/My-RG"
	compute = "/providers/Microsoft.Compute"
	gal     = group + compute + "/galleries/G1"
	image   = gal + "/images/i.1"
	version = image + "/versions/1.0.0"
	auth    = "/providers/Microsoft.Authorization"
)

func TestParse(t *testing.T) {
	lower, upper := strings.ToLower, strings.ToUpper
	for _, x := range []struct{ name, path, want string }{
		{"root", "/", "/"},
		{"root of many slashes", "///", "/"},
		{"subscription", sub, sub},
		{"subscription in capitals", upper(sub), sub},
		{"subscription without UUID keeps its case", "/SUBSCRIPTIONS/Abc", "/subscriptions/Abc"},
		{"version", version, version},
		{"resourcegroups", strings.Replace(version, "resourceGroups", "resourcegroups", 1), version},
		{"static parts lower", strings.NewReplacer("resourceGroups", "resourcegroups", "Microsoft.Compute", "microsoft.compute").Replace(gal), gal},
		{"static parts upper", strings.NewReplacer("resourceGroups", "RESOURCEGROUPS", "providers", "PROVIDERS", "galleries", "GALLERIES", "images", "Images").Replace(image), image},
		{"names keep their case", lower(gal), sub + "/resourceGroups/my-rg" + compute + "/galleries/g1"},
		{"slash at the end", group + "/providers/Microsoft.Resources/deployments/", group + "/providers/Microsoft.Resources/deployments"},
		{"doubled slashes", "/" + strings.Replace(gal, "/providers", "//providers", 1), gal},
		{"empty parent path of a lock", group + compute + "//galleries/G1" + auth + "/locks/l", gal + auth + "/locks/l"},
		{"encoded scope of a lock", "/" + url.PathEscape(gal) + auth + "/locks/l1", gal + auth + "/locks/l1"},
		{"encoded scope in lower case", "/" + strings.ReplaceAll(url.PathEscape(gal), "%2F", "%2f") + auth + "/locks/l1", gal + auth + "/locks/l1"},
		{"encoded scope without its first slash", "/" + url.PathEscape(gal[1:]) + auth + "/locks", gal + auth + "/locks"},
		{"encoded name", sub + "/resourceGroups/a%2Db%20%28c%29", sub + "/resourceGroups/a-b (c)"},
		{"raw blank", sub + "/resourceGroups/a b", sub + "/resourceGroups/a b"},
		{"plus is a plus", sub + "/resourceGroups/a+b", sub + "/resourceGroups/a+b"},
		{"dots in names", sub + "/resourceGroups/a..b", sub + "/resourceGroups/a..b"},
		{"a group called providers", sub + "/resourceGroups/providers" + compute + "/galleries/providers", sub + "/resourceGroups/providers" + compute + "/galleries/providers"},
		{"region with blanks", sub + compute + "/locations/West%20US/usages", sub + compute + "/locations/westus/usages"},
		{"shared gallery", sub + compute + "/locations/WestUS/sharedgalleries/U-N/IMAGES/i", sub + compute + "/locations/westus/sharedGalleries/U-N/images/i"},
		{"unique id of a shared image", "/sharedgalleries/u/images/I/versions/latest", "/SharedGalleries/u/Images/I/Versions/latest"},
		{"unique id of a community image", "/communityGalleries/u/Images/I", "/CommunityGalleries/u/Images/I"},
		{"provider", sub + "/Providers/microsoft.compute", sub + compute},
		{"register", sub + "/providers/microsoft.compute/Register", sub + compute + "/register"},
		{"providers", sub + "/PROVIDERS", sub + "/providers"},
		{"tenants", "/Tenants", "/tenants"},
		{"of the tenant", "/providers/microsoft.resourcegraph/Resources", "/providers/Microsoft.ResourceGraph/resources"},
		{"unknown namespace and type keep their case", group + "/providers/Contoso.X/Widgets/w", group + "/providers/Contoso.X/Widgets/w"},
		{"softdeletedartifacttypes", gal + "/softdeletedartifacttypes/images/artifacts/i/versions", gal + "/softDeletedArtifactTypes/images/artifacts/i/versions"},
		{"deepest", sub + strings.Repeat("/providers/a/b/c", 9) + "/providers/x", sub + strings.Repeat("/providers/a/b/c", 9) + "/providers/x"},
	} {
		id, err := Parse(x.path)
		if err != nil || id.String() != x.want {
			t.Errorf("%s: Parse(%q): got %q, %v, want %q", x.name, x.path, id, err, x.want)
		}
		if id.Fold() != lower(x.want) {
			t.Errorf("%s: Fold: got %q, want %q", x.name, id.Fold(), lower(x.want))
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, x := range []struct {
		name, path string
		kind       gallery.Kind
	}{
		{"nothing", "", gallery.ErrInvalid},
		{"no slash", "subscriptions/" + uuid, gallery.ErrInvalid},
		{"another root", "/v1/galleries", gallery.ErrNotFound},
		{"a group alone", "/resourceGroups/g", gallery.ErrNotFound},
		{"dots", sub + "/resourceGroups/../resourceGroups/g", gallery.ErrInvalid},
		{"a dot", sub + "/./resourceGroups", gallery.ErrInvalid},
		{"encoded dots", sub + "/resourceGroups/%2e%2E", gallery.ErrInvalid},
		{"twice encoded dots", sub + "/resourceGroups/%252e%252e", gallery.ErrInvalid},
		{"dots of a region", sub + compute + "/locations/.%20.", gallery.ErrInvalid},
		{"encoded slash in a name", sub + "/resourceGroups/a%2Fb", gallery.ErrInvalid},
		{"encoded slash behind an encoded scope", "/" + url.PathEscape(gal) + auth + "/locks/a%2fb", gallery.ErrInvalid},
		{"dots in an encoded scope", "/" + url.PathEscape(group+"/../x") + auth + "/locks/a", gallery.ErrInvalid},
		{"twice encoded scope", "/" + url.PathEscape(url.PathEscape(gal)) + auth + "/locks/a", gallery.ErrInvalid},
		{"backslash", sub + `/resourceGroups/a%5Cb`, gallery.ErrInvalid},
		{"NUL", sub + "/resourceGroups/a%00", gallery.ErrInvalid},
		{"line's end", sub + "/resourceGroups/a%0d%0ab", gallery.ErrInvalid},
		{"DEL", sub + "/resourceGroups/a%7f", gallery.ErrInvalid},
		{"no ASCII", sub + "/resourceGroups/%e2%84%aa", gallery.ErrInvalid},
		{"question mark", sub + "/resourceGroups/a%3fb", gallery.ErrInvalid},
		{"number sign", sub + "/resourceGroups/a%23b", gallery.ErrInvalid},
		{"wildcard", sub + "/resourceGroups/*", gallery.ErrInvalid},
		{"blank name", sub + "/resourceGroups/%20", gallery.ErrInvalid},
		{"blank at the end", sub + "/resourceGroups/g%20", gallery.ErrInvalid},
		{"bad encoding", sub + "/resourceGroups/%zz", gallery.ErrInvalid},
		{"cut encoding", sub + "/resourceGroups/%2", gallery.ErrInvalid},
		{"a provider of nothing", sub + compute + auth + "/locks/l", gallery.ErrInvalid},
		{"too long", "/subscriptions/" + strings.Repeat("a", MaxLength), gallery.ErrInvalid},
		{"too long before decoding", "/subscriptions/" + strings.Repeat("%61", MaxLength+1), gallery.ErrInvalid},
		{"too deep", sub + strings.Repeat("/a", MaxDepth-1), gallery.ErrInvalid},
	} {
		id, err := Parse(x.path)
		var e *gallery.Error
		if !errors.As(err, &e) || e.Kind != x.kind || e.Field != "id" || e.Message == "" {
			t.Errorf("%s: Parse(%q): got %q, %v, want %s about id", x.name, x.path, id, err, x.kind)
		}
	}
	if id, err := ParseID(sub + "/resourceGroups/a%2Db"); err == nil {
		t.Errorf("an id in a body is not encoded: got %q", id)
	}
	if id, err := ParseID(gal); err != nil || id.String() != gal {
		t.Errorf("ParseID(%q): got %q, %v", gal, id, err)
	}
}

func TestParts(t *testing.T) {
	for _, x := range []struct {
		path, kind, name, parent, scope, resource, shape string
		collection, extension                            bool
	}{
		{"/", "", "", "/", "/", "/", "/", false, false},
		{"/subscriptions", "Microsoft.Resources/subscriptions", "", "/", "/subscriptions", "/", "/subscriptions", true, false},
		{sub, "Microsoft.Resources/subscriptions", uuid, "/", sub, sub, "/subscriptions/{}", false, false},
		{sub + "/locations", "Microsoft.Resources/subscriptions/locations", "", sub, sub + "/locations", sub, "/subscriptions/{}/locations", true, false},
		{group, "Microsoft.Resources/subscriptions/resourceGroups", "My-RG", sub, group, group, "/subscriptions/{}/resourcegroups/{}", false, false},
		{group + "/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources", "", group, group + "/resources", group, "/subscriptions/{}/resourcegroups/{}/resources", true, false},
		{
			group + "/deployments/d/operations/o", "Microsoft.Resources/subscriptions/resourceGroups/deployments/operations", "o", group + "/deployments/d",
			group + "/deployments/d/operations/o", group + "/deployments/d/operations/o", "/subscriptions/{}/resourcegroups/{}/deployments/{}/operations/{}", false, false,
		},
		{
			group + compute + "/galleries", "Microsoft.Compute/galleries", "", group, group, group,
			"/subscriptions/{}/resourcegroups/{}/providers/microsoft.compute/galleries", true, false,
		},
		{gal, "Microsoft.Compute/galleries", "G1", group, group, gal, "/subscriptions/{}/resourcegroups/{}/providers/microsoft.compute/galleries/{}", false, false},
		{
			gal + "/share", "Microsoft.Compute/galleries/share", "", gal, group, gal,
			"/subscriptions/{}/resourcegroups/{}/providers/microsoft.compute/galleries/{}/share", true, false,
		},
		{
			version, "Microsoft.Compute/galleries/images/versions", "1.0.0", image, group, version,
			"/subscriptions/{}/resourcegroups/{}/providers/microsoft.compute/galleries/{}/images/{}/versions/{}", false, false,
		},
		{
			sub + compute + "/locations/westus/capsOperations/o", "Microsoft.Compute/locations/capsOperations", "o", sub + compute + "/locations/westus", sub,
			sub + compute + "/locations/westus/capsOperations/o", "/subscriptions/{}/providers/microsoft.compute/locations/{}/capsoperations/{}", false, false,
		},
		{
			version + auth + "/locks/l", "Microsoft.Authorization/locks", "l", version, version, version + auth + "/locks/l",
			"{scope}/providers/microsoft.authorization/locks/{}", false, true,
		},
		{sub + auth + "/roleAssignments", "Microsoft.Authorization/roleAssignments", "", sub, sub, sub, "{scope}/providers/microsoft.authorization/roleassignments", true, true},
		{
			auth + "/roleDefinitions/" + uuid, "Microsoft.Authorization/roleDefinitions", uuid, "/", "/", auth + "/roleDefinitions/" + uuid,
			"{scope}/providers/microsoft.authorization/roledefinitions/{}", false, true,
		},
		{
			gal + "/providers/Microsoft.Resources/tags/default", "Microsoft.Resources/tags", "default", gal, gal, gal + "/providers/Microsoft.Resources/tags/default",
			"{scope}/providers/microsoft.resources/tags/{}", false, true,
		},
		{
			gal + "/providers/Contoso.X/widgets/w", "Contoso.X/widgets", "w", gal, gal, gal + "/providers/Contoso.X/widgets/w",
			"{scope}/providers/contoso.x/widgets/{}", false, true,
		},
		{
			group + "/providers/Microsoft.Resources/deployments/d/validate", "Microsoft.Resources/deployments/validate", "",
			group + "/providers/Microsoft.Resources/deployments/d", group, group + "/providers/Microsoft.Resources/deployments/d",
			"/subscriptions/{}/resourcegroups/{}/providers/microsoft.resources/deployments/{}/validate", true, false,
		},
		{sub + "/providers", "Microsoft.Resources/subscriptions/providers", "", sub, sub + "/providers", sub, "/subscriptions/{}/providers", true, false},
		{sub + compute, "Microsoft.Resources/subscriptions/providers", "Microsoft.Compute", sub, sub + compute, sub + compute, "/subscriptions/{}/providers/{}", false, false},
		{
			sub + compute + "/register", "Microsoft.Resources/subscriptions/providers/register", "", sub + compute, sub + compute + "/register", sub + compute,
			"/subscriptions/{}/providers/{}/register", true, false,
		},
		{
			"/providers/Microsoft.ResourceGraph/resources", "Microsoft.ResourceGraph/resources", "", "/", "/", "/",
			"/providers/microsoft.resourcegraph/resources", true, false,
		},
		{
			"/SharedGalleries/u/Images/i", "SharedGalleries/Images", "i", "/SharedGalleries/u", "/SharedGalleries/u/Images/i", "/SharedGalleries/u/Images/i",
			"/sharedgalleries/{}/images/{}", false, false,
		},
	} {
		id, err := Parse(x.path)
		if err != nil {
			t.Errorf("%s: %v", x.path, err)
			continue
		}
		for _, y := range []struct{ what, got, want string }{
			{"String", id.String(), x.path}, {"Type", id.Type(), x.kind}, {"Name", id.Name(), x.name}, {"Parent", id.Parent().String(), x.parent},
			{"Scope", id.Scope().String(), x.scope}, {"Resource", id.Resource().String(), x.resource}, {"Shape", id.Shape(), x.shape},
		} {
			if y.got != y.want {
				t.Errorf("%s: %s: got %q, want %q", x.path, y.what, y.got, y.want)
			}
		}
		if id.Collection() != x.collection || id.Extension() != x.extension {
			t.Errorf("%s: collection %v, extension %v; want %v, %v", x.path, id.Collection(), id.Extension(), x.collection, x.extension)
		}
	}
}

func TestNames(t *testing.T) {
	for _, x := range []struct {
		path, subscription, group, location, namespace, last string
		names                                                []string
	}{
		{"/", "", "", "", "", "", nil},
		{sub, uuid, "", "", "Microsoft.Resources", "subscriptions", []string{uuid}},
		{group, uuid, "My-RG", "", "Microsoft.Resources", "resourceGroups", []string{uuid, "My-RG"}},
		{version, uuid, "My-RG", "", "Microsoft.Compute", "versions", []string{"G1", "i.1", "1.0.0"}},
		{gal + "/share", uuid, "My-RG", "", "Microsoft.Compute", "share", []string{"G1"}},
		{version + auth + "/locks/l", uuid, "My-RG", "", "Microsoft.Authorization", "locks", []string{"l"}},
		{sub + compute + "/locations/WestUS/capsOperations/o", uuid, "", "westus", "Microsoft.Compute", "capsOperations", []string{"westus", "o"}},
		{compute + "/locations/westus/tenantLevelSharedGallerySubscriptions", "", "", "westus", "Microsoft.Compute", "tenantLevelSharedGallerySubscriptions", []string{"westus"}},
		{sub + "/locations", uuid, "", "", "Microsoft.Resources", "locations", []string{uuid}},
		{"/SharedGalleries/u", "", "", "", "", "SharedGalleries", []string{"u"}},
	} {
		id, err := Parse(x.path)
		if err != nil {
			t.Errorf("%s: %v", x.path, err)
			continue
		}
		for _, y := range []struct{ what, got, want string }{
			{"Subscription", string(id.Subscription()), x.subscription}, {"Group", id.Group(), x.group}, {"Location", string(id.Location()), x.location},
			{"Namespace", id.Namespace(), x.namespace}, {"Last", id.Last(), x.last},
		} {
			if y.got != y.want {
				t.Errorf("%s: %s: got %q, want %q", x.path, y.what, y.got, y.want)
			}
		}
		if !slices.Equal(id.Names(), x.names) {
			t.Errorf("%s: Names: got %q, want %q", x.path, id.Names(), x.names)
		}
	}
}

func TestMake(t *testing.T) {
	var root ID
	g := root.Child("subscriptions", uuid).Child("resourceGroups", "My-RG").Provider("Microsoft.Compute", "galleries", "G1")
	one, two := g.Child("images", "i.1"), g.Child("applications", "a")
	for want, id := range map[string]ID{
		"/": root, gal: g, image: one, gal + "/applications/a": two, version: one.Child("versions", "1.0.0"), gal + "/images": g.Child("images", ""),
		gal + auth + "/locks/l": g.Provider("Microsoft.Authorization", "locks", "l"),
	} {
		parsed, err := Parse(want)
		if err != nil || id.String() != want || id.Shape() != parsed.Shape() || id.Type() != parsed.Type() || !id.Equal(parsed) {
			t.Errorf("got %q of type %q and shape %q, want %q (%v)", id, id.Type(), id.Shape(), want, err)
		}
	}
	if two.Parent().Child("images", "i.1").String() != image || g.String() != gal {
		t.Errorf("making one id changed another: %q, %q", two, g)
	}
}

// escape writes an id as a careful client would send it.
func escape(id string) string {
	s := strings.Split(id, "/")
	for i := range s {
		s[i] = url.PathEscape(s[i])
	}
	return strings.Join(s, "/")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "/", "//", sub, group, gal, version, gal + "/share", strings.ToUpper(version), sub + "/resourcegroups/a%20b", "/%2Fsubscriptions%2Fx" + auth + "/locks/l",
		sub + compute, sub + compute + "/register", sub + compute + "/locations/West%20US/usages", sub + compute + "/locations/.%20.", "/sharedgalleries/u/locations/A%20b",
		version + auth + "/roleAssignments/" + uuid, sub + "/../x", sub + "/%252e%252e", sub + compute + auth + "/locks/l", "/providers/a/providers/b/c", "/tenants/providers",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		id, err := Parse(path)
		if err != nil {
			if !errors.Is(err, gallery.ErrInvalid) && !errors.Is(err, gallery.ErrNotFound) {
				t.Errorf("%q: %v", path, err)
			}
			return
		}
		text := id.String()
		if len(text) > MaxLength || strings.Count(text, "/") > MaxDepth || !rbac.Covers(rbac.Root, text) {
			t.Errorf("%q: not canonical: %q", path, text)
		}
		if other, err := ParseID(text); err != nil || other.String() != text || other.block != id.block {
			t.Errorf("%q: again: got %q, %v, want %q", path, other, err, text)
		}
		for _, sent := range []string{escape(text), strings.ReplaceAll(escape(text), "/", "//") + "/"} {
			if other, err := Parse(sent); err != nil || other.String() != text || other.block != id.block {
				t.Errorf("%q: sent as %q: got %q, %v, want %q", path, sent, other, err, text)
			}
		}
		for _, cased := range []string{strings.ToUpper(text), strings.ToLower(text)} {
			other, err := ParseID(cased)
			if err != nil || !other.Equal(id) || other.Shape() != id.Shape() || other.Extension() != id.Extension() {
				t.Errorf("%q: case matters: %q gives %q with shape %q, %v; want %q with %q", path, cased, other, other.Shape(), err, id, id.Shape())
			}
		}
		for _, above := range []ID{id.Parent(), id.Scope(), id.Resource()} {
			if !rbac.Covers(above.String(), text) {
				t.Errorf("%q: %q does not cover %q", path, above, text)
			}
			if other, err := ParseID(above.String()); err != nil || other.String() != above.String() || other.block != above.block {
				t.Errorf("%q: %q above it reads as %q, %v", path, above, other, err)
			}
		}
		if !id.IsRoot() && len(id.Parent().parts) >= len(id.parts) {
			t.Errorf("%q: parent %q", path, id.Parent())
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		id, err := Parse(version)
		if err != nil || id.Shape() == "" {
			b.Fatal(err)
		}
	}
}
