package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"loggia/api/azure/schema"
	"loggia/gallery"
)

// The rows below are what the requests in testdata/golden became; the answers beside them are what clients of each api-version get.

var (
	goldenSub  = gallery.SubscriptionID("00000000-0000-4000-8000-0000000000a1")
	goldenTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	goldenRef  = gallery.GalleryRef{Subscription: goldenSub, Gallery: "Gal1"}
)

// goldenCase is one request of one api-version, and the row that it makes, shown again.
type goldenCase struct {
	name    string
	kind    schema.Kind
	version schema.Version
	row     func(r *request, t schema.Tree) (shown, error)
}

func goldenImage(a artifact) func(*request, schema.Tree) (shown, error) {
	return func(r *request, t schema.Tree) (shown, error) {
		i, err := imageOf(r, a, t)
		i.Created, i.Updated, i.CreatedBy, i.UpdatedBy, i.ETag = goldenTime, goldenTime, "somebody", "somebody", 7
		return showImage(i), err
	}
}

func goldenVersion(a artifact) func(*request, schema.Tree) (shown, error) {
	return func(r *request, t schema.Tree) (shown, error) {
		ref, err := r.versionRef(a)
		if err != nil {
			return shown{}, err
		}
		v := gallery.ImageVersion{Ref: ref, ResourceGroup: "RG1", Location: "north", Tags: tags(t), Wire: keep(t), Created: goldenTime, Updated: goldenTime, ETag: 7}
		if v.Publishing, err = r.publishing(t, v.Location); err != nil {
			return shown{}, err
		}
		v.Safety.AllowDeletionOfReplicatedLocations = flag(t, "properties.safetyProfile.allowDeletionOfReplicatedLocations")
		v.Safety.BlockDeletionBeforeEndOfLife = flag(t, "properties.safetyProfile.blockDeletionBeforeEndOfLife")
		out := Version{ImageVersion: v, Provisioning: gallery.ProvisioningSucceeded}
		if a.kind == gallery.ArtifactImage {
			out.Disks = []gallery.VersionDisk{{LUN: gallery.LUNOS, Disk: "os", HostCaching: "None"}, {LUN: 0, Disk: "data", HostCaching: "ReadOnly"}}
			out.Contents = []gallery.Disk{{Size: 4 << 30}, {Size: 1<<30 + 512}}
		}
		return r.h.showVersion(r, out), nil
	}
}

var goldenCases = []goldenCase{
	{"gallery", schema.Gallery, "2018-06-01", goldenGallery}, {"gallery", schema.Gallery, "2025-12-03", goldenGallery},
	{"image", schema.Image, "2019-12-01", goldenImage(imageArtifact)}, {"image", schema.Image, "2024-03-03", goldenImage(imageArtifact)}, {"image", schema.Image, "2025-12-03", goldenImage(imageArtifact)},
	{"version", schema.ImageVersion, "2020-09-30", goldenVersion(imageArtifact)}, {"version", schema.ImageVersion, "2022-03-03", goldenVersion(imageArtifact)}, {"version", schema.ImageVersion, "2025-12-03", goldenVersion(imageArtifact)},
	{"application", schema.Application, "2022-01-03", goldenImage(applicationArtifact)}, {"application", schema.Application, "2025-12-03", goldenImage(applicationArtifact)},
	{"application-version", schema.ApplicationVersion, "2022-01-03", goldenVersion(applicationArtifact)}, {"application-version", schema.ApplicationVersion, "2025-12-03", goldenVersion(applicationArtifact)},
	{"snapshot", schema.Snapshot, "2022-07-02", goldenSnapshot},
	{"group", schema.ResourceGroup, "2021-04-01", func(r *request, t schema.Tree) (shown, error) {
		return showGroup(gallery.ResourceGroup{Ref: r.group(), Location: "north", Tags: tags(t), ManagedBy: text(t, "managedBy"), ETag: 7}), nil
	}},
}

func goldenGallery(_ *request, t schema.Tree) (shown, error) {
	return showGallery(gallery.Gallery{Ref: goldenRef, ResourceGroup: "RG1", Location: "north", Description: text(t, "properties.description"), Tags: tags(t), Wire: keep(t),
		Created: goldenTime, Updated: goldenTime, CreatedBy: "somebody", UpdatedBy: "somebody", ETag: 7}), nil
}

func goldenSnapshot(r *request, t schema.Tree) (shown, error) {
	p := members(t, "properties")
	return showSnapshot(Snapshot{Snapshot: gallery.Snapshot{Ref: r.snapshotRef(), Location: "north", Tags: tags(t), SKU: text(t, "sku.name"), OSType: text(p, "osType"), Disk: "disk",
		State: gallery.SnapshotSucceeded, UniqueID: "unique", Wire: keep(t), Created: goldenTime, ETag: 7}, Content: gallery.Disk{Size: 1 << 30}}), nil
}

// TestGolden: each request gives the answer beside it, byte for byte.
func TestGolden(t *testing.T) {
	h := &handler{o: Options{Service: golden{}, Now: func() time.Time { return goldenTime }}}
	for _, c := range goldenCases {
		base := filepath.Join("testdata", "golden", c.name+"-"+string(c.version))
		in, err := os.ReadFile(base + ".request.json")
		if err != nil {
			t.Fatal(err)
		}
		tree, err := schema.Decode(c.kind, c.version, in)
		if err == nil {
			err = schema.CheckCreate(c.kind, c.version, tree)
		}
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		r := &request{Request: &http.Request{}, h: h, version: c.version, match: match{vars: map[string]string{"sub": string(goldenSub), "group": "RG1", "gallery": "Gal1", "image": "thing", "version": "1.2.3", "name": "snap"}}}
		s, err := c.row(r, tree)
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		got, err := json.MarshalIndent(schema.Render(c.kind, c.version, s.tree), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		if os.Getenv("LOGGIA_GOLDEN") == "new" {
			if err := os.WriteFile(base+".answer.json", got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(base + ".answer.json")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the answer is not what it was (%v):\n%s", base, err, got)
		}
		// What is answered may be sent back as it is, at any api-version: nothing changes.
		back, err := schema.Decode(c.kind, c.version, got)
		if err != nil {
			t.Errorf("%s: the answer sent back: %v", base, err)
			continue
		}
		merged := schema.Merge(c.kind, c.version, s.tree, back, http.MethodPut)
		if err := schema.CheckUpdate(c.kind, s.tree, merged); err != nil {
			t.Errorf("%s: the answer sent back changes something: %v", base, err)
		}
	}
}

// golden is a service that knows regions.
type golden struct{ nothing }

func (golden) Regions(context.Context) ([]gallery.Region, error) {
	return []gallery.Region{{Name: "north"}, {Name: "westus"}}, nil
}
