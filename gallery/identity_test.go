package gallery

import (
	"errors"
	"strings"
	"testing"
	"time"

	"loggia/internal/digest"
)

func testPrincipal() Principal {
	return Principal{ID: testID, Tenant: testID, Kind: KindServicePrincipal, AppID: testID, Name: "ci",
		Secrets: []Secret{{ID: testID, Hash: digest.Of([]byte("s")), Hint: "abc"}}}
}

func testRole() RoleDefinition {
	return RoleDefinition{ID: testID, Tenant: testID, Name: "r", Permissions: []Permission{{Actions: []string{"*/read"}}}, AssignableScopes: []string{"/"}}
}

func testSnapshot() Snapshot {
	return Snapshot{Ref: SnapshotRef{GroupRef{testID, "rg"}, "s"}, Tenant: testID, Location: "a", Disk: testID}
}

func testApplication() Image {
	return Image{Ref: ImageRef{GalleryRef: GalleryRef{testID, "g"}, Image: "tool", Kind: ArtifactApplication}, ResourceGroup: DefaultGroup, Location: "a", OSType: OSLinux}
}

func testAppVersion() ImageVersion {
	return ImageVersion{Ref: VersionRef{testApplication().Ref, Version{1, 0, 0}}, ResourceGroup: DefaultGroup, Location: "a",
		Disks: []VersionDisk{{LUN: LUNPackage, Disk: testID}}, App: &AppVersion{Install: "i", Remove: "r"}}
}

// change returns a copy that f has changed.
func change[T any](row T, f func(*T)) *T {
	f(&row)
	return &row
}

func TestIdentityRules(t *testing.T) {
	type valid interface{ Validate() error }
	for _, x := range []struct {
		name  string
		row   valid
		field string // empty: it is right
	}{
		{"principal", change(testPrincipal(), func(*Principal) {}), ""},
		{"principal without app id", change(testPrincipal(), func(p *Principal) { p.AppID = "" }), "appId"},
		{"user with secrets", change(testPrincipal(), func(p *Principal) { p.Kind, p.AppID = KindUser, "" }), "secrets"},
		{"its own group", change(testPrincipal(), func(p *Principal) { p.Groups = []PrincipalID{testID} }), "groups[0]"},
		{"long hint", change(testPrincipal(), func(p *Principal) { p.Secrets[0].Hint = "abcd" }), "secrets[0].hint"},
		{"key that is no JSON", change(testPrincipal(), func(p *Principal) { p.Keys = []PublicKey{{"k", []byte("{")}} }), "keys[0].jwk"},
		{"role", change(testRole(), func(*RoleDefinition) {}), ""},
		{"role without a scope", change(testRole(), func(r *RoleDefinition) { r.AssignableScopes = nil }), "properties.assignableScopes"},
		{"role without permissions", change(testRole(), func(r *RoleDefinition) { r.Permissions = nil }), "properties.permissions"},
		{"empty action", change(testRole(), func(r *RoleDefinition) { r.Permissions[0].Actions = []string{""} }), "properties.permissions[0].actions[0]"},
		{"assignment", &RoleAssignment{ID: testID, Tenant: testID, Scope: "/", Principal: testID, Role: testID}, ""},
		{"assignment nowhere", &RoleAssignment{ID: testID, Tenant: testID, Principal: testID, Role: testID}, "scope"},
		{"conditional assignment", &RoleAssignment{ID: testID, Tenant: testID, Scope: "/", Principal: testID, Role: testID, Condition: "x"}, "properties.condition"},
		{"issuer", &Issuer{ID: testID, Tenant: testID, Name: "corp", URL: "https://id.example/x", ClientID: "loggia"}, ""},
		{"issuer with a password", &Issuer{ID: testID, Tenant: testID, Name: "corp", URL: "https://u:p@id.example/", ClientID: "loggia"}, "url"},
		{"issuer of files", &Issuer{ID: testID, Tenant: testID, Name: "corp", URL: "file:///etc", ClientID: "loggia"}, "url"},
		{"signing key", &SigningKey{ID: "k", Public: []byte("{}")}, ""},
		{"signing key that is none", &SigningKey{ID: "k"}, "public"},
		{"group", &ResourceGroup{Ref: GroupRef{testID, "rg"}, Location: "a"}, ""},
		{"group that ends with a dot", &ResourceGroup{Ref: GroupRef{testID, "rg."}, Location: "a"}, "resourceGroup"},
		{"snapshot", change(testSnapshot(), func(*Snapshot) {}), ""},
		{"snapshot of two sources", change(testSnapshot(), func(s *Snapshot) { s.Import = &Import{ID: testID, URI: "https://x/y"} }), "properties.creationData"},
		{"snapshot of a URI and a disk", change(testSnapshot(), func(s *Snapshot) { s.Disk, s.Import = "", &Import{ID: testID, URI: "https://x/y", Source: testID} }), "properties.creationData"},
		{"snapshot with a long wire", change(testSnapshot(), func(s *Snapshot) { s.Wire = []byte(`"` + strings.Repeat("x", MaxWire) + `"`) }), "properties"},
		{"application", change(testApplication(), func(*Image) {}), ""},
		{"application with an identifier", change(testApplication(), func(i *Image) { i.Identifier = Identifier{"p", "o", "s"} }), "properties.identifier"},
		{"application version", change(testAppVersion(), func(*ImageVersion) {}), ""},
		{"application version without scripts", change(testAppVersion(), func(v *ImageVersion) { v.App = nil }), "properties.publishingProfile.manageActions"},
		{"application version without a package", change(testAppVersion(), func(v *ImageVersion) { v.Disks[0].LUN = LUNConfig }), "properties.publishingProfile.source.mediaLink"},
		{"application version with 11 copies", change(testAppVersion(), func(v *ImageVersion) { v.Publishing.ReplicaCount = 11 }), "properties.publishingProfile.replicaCount"},
		{"image version with scripts", change(testAppVersion(), func(v *ImageVersion) { v.Ref.Kind, v.Disks[0].LUN = ArtifactImage, LUNOS }), "properties.publishingProfile.manageActions"},
		{"operation", &OperationStart{ID: testID, Location: "a", Kind: OperationCreate, Resource: "/subscriptions/x"}, ""},
		{"operation of nothing", &OperationStart{ID: testID, Location: "a", Kind: OperationCreate}, "operation.resource"},
		{"operation of no kind", &OperationStart{ID: testID, Location: "a", Kind: "x", Resource: "/"}, "operation.kind"},
	} {
		err := x.row.Validate()
		var e *Error
		if x.field == "" && err != nil || x.field != "" && (!errors.As(err, &e) || e.Field != x.field) {
			t.Errorf("%s: got %v, want the field %q", x.name, err, x.field)
		}
	}
}

func TestValidScope(t *testing.T) {
	for s, want := range map[string]bool{"/": true, "": false, "/subscriptions/a": true, "/subscriptions/a/": false, "subscriptions/a": false,
		"/a//b": false, "/a b": false, "/a\x00": false, "/ä": false, "/" + strings.Repeat("x", MaxScope): false} {
		if got := ValidScope(s); got != want {
			t.Errorf("ValidScope(%q) = %t", s, got)
		}
	}
}

func TestApplicationRefs(t *testing.T) {
	r, err := ParseVersionRef(testID, "G/@Tool/1.2.3")
	if err != nil || r.Kind != ArtifactApplication || r.Image != "Tool" || r.String() != "G/@Tool/1.2.3" {
		t.Errorf("got %+v, %v", r, err)
	}
	if r.Fold().Kind != ArtifactApplication {
		t.Error("folding forgets the kind")
	}
	if _, err := ParseImageRef(testID, "g/@"); !errors.Is(err, ErrInvalid) {
		t.Errorf("an empty name: %v", err)
	}
}

// TestImporting holds that a version with disks to come is nowhere, and says so.
func TestImporting(t *testing.T) {
	v := testAppVersion()
	v.Disks, v.Imports = nil, []DiskImport{{LUN: LUNPackage, Import: Import{ID: testID, URI: "https://x/y"}}}
	if err := v.Validate(); err != nil {
		t.Fatal(err)
	}
	v.Publishing.TargetRegions = []TargetRegion{{Region: "a"}}
	status := v.Status(nil)
	if got := v.Aggregated(status); got != AggregatedInProgress || status[0].State != ReplicaUnknown || InLatest(&v, status, "a") {
		t.Errorf("got %s, %+v", got, status)
	}
	if got := v.Provisioning(status, nil); got != ProvisioningCreating {
		t.Errorf("got %s", got)
	}
	v.Imports[0].Reason = ReasonUnreachable
	if got := v.Aggregated(status); got != AggregatedFailed || v.Provisioning(status, nil) != ProvisioningFailed {
		t.Errorf("given up, got %s", got)
	}
}

func TestProvisioning(t *testing.T) {
	v := testAppVersion()
	done := []RegionStatus{{Region: "a", State: ReplicaCompleted}}
	failed := []RegionStatus{{Region: "a", State: ReplicaFailed}}
	none := []RegionStatus{{Region: "a", State: ReplicaUnknown}}
	for _, x := range []struct {
		name    string
		regions []RegionStatus
		last    *Operation
		want    ProvisioningState
	}{
		{"new", none, nil, ProvisioningCreating},
		{"whole", done, nil, ProvisioningSucceeded},
		{"failed", failed, nil, ProvisioningFailed},
		{"being made", none, &Operation{Status: OperationInProgress, Kind: OperationCreate}, ProvisioningCreating},
		{"being changed", done, &Operation{Status: OperationInProgress, Kind: OperationUpdate}, ProvisioningUpdating},
		{"gave up", none, &Operation{Status: OperationFailed}, ProvisioningFailed},
		{"healed later", done, &Operation{Status: OperationFailed}, ProvisioningSucceeded},
	} {
		if got := v.Provisioning(x.regions, x.last); got != x.want {
			t.Errorf("%s: got %s, want %s", x.name, got, x.want)
		}
	}
}

func TestSecretByHash(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := testPrincipal()
	hash := p.Secrets[0].Hash
	if p.SecretByHash(hash, now) == nil || p.SecretByHash(digest.Of([]byte("other")), now) != nil {
		t.Error("a secret is found by its hash")
	}
	p.Secrets[0].Expires = now
	if p.SecretByHash(hash, now) != nil {
		t.Error("an expired secret is found")
	}
}
