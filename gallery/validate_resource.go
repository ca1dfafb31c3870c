package gallery

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Validate checks what needs no other row.
func (g *Gallery) Validate() error {
	var f faults
	f.id("subscription", string(g.Ref.Subscription))
	f.id("tenant", string(g.Tenant))
	_, err := ParseGalleryName(string(g.Ref.Gallery))
	f.unless(err == nil, "name", ruleGallery)
	f.unless(validGroup(g.ResourceGroup), "resourceGroup", ruleGroup)
	f.region("location", g.Location)
	f.text("properties.description", g.Description, MaxText)
	f.tags(g.Tags)
	f.wire(g.Wire)
	return f.err()
}

// Fold returns the identifier as comparisons use it.
func (i Identifier) Fold() Identifier {
	return Identifier{strings.ToLower(i.Publisher), strings.ToLower(i.Offer), strings.ToLower(i.SKU)}
}

const ruleIdentifier = "1 to %d letters, digits, '.', '_' and '-', not ending with '.'"

func (f *faults) identifier(field, s string, limit int) {
	f.unless(madeOf(s, limit, "._-") && s[len(s)-1] != '.', "properties.identifier."+field, ruleIdentifier, limit)
}

// artifact notes what a ref may not be.
func (f *faults) artifact(r ImageRef, field string) {
	f.id("subscription", string(r.Subscription))
	_, err := ParseGalleryName(string(r.Gallery))
	f.unless(err == nil, "gallery", ruleGallery)
	f.unless(r.Kind.Valid(), "kind", "an image or an application")
	if r.Kind == ArtifactApplication {
		f.unless(validApplication(string(r.Image)), field, ruleApplication)
		return
	}
	_, err = ParseImageName(string(r.Image))
	f.unless(err == nil, field, ruleImage)
}

// Validate checks what needs no other row. Enumerations must be in canonical case.
func (i *Image) Validate() error {
	var f faults
	f.artifact(i.Ref, "name")
	f.unless(validGroup(i.ResourceGroup), "resourceGroup", ruleGroup)
	f.region("location", i.Location)
	if i.Ref.Kind == ArtifactApplication {
		f.oneOf("properties.supportedOSType", i.OSType, OSLinux, OSWindows)
		f.noImage(i)
	} else {
		f.image(i)
	}
	f.imageTexts(i)
	f.tags(i.Tags)
	f.wire(i.Wire)
	return f.err()
}

func (f *faults) image(i *Image) {
	f.oneOf("properties.osType", i.OSType, OSLinux, OSWindows)
	f.oneOf("properties.osState", i.OSState, StateGeneralized, StateSpecialized)
	f.identifier("publisher", i.Identifier.Publisher, maxPublisher)
	f.identifier("offer", i.Identifier.Offer, maxOffer)
	f.identifier("sku", i.Identifier.SKU, maxOffer)
	f.oneOf("properties.hyperVGeneration", i.HyperVGeneration, GenerationV1, GenerationV2)
	f.oneOf("properties.architecture", i.Architecture, ArchX64, ArchArm64)
	f.features(i.Features)
	f.bounds("properties.recommended.vCPUs", i.Recommended.VCPUs)
	f.bounds("properties.recommended.memory", i.Recommended.Memory)
}

// noImage notes what an application definition does not have.
func (f *faults) noImage(i *Image) {
	f.unless(i.OSState == "", "properties.osState", "not of an application")
	f.unless(i.Identifier == Identifier{}, "properties.identifier", "not of an application")
	f.unless(i.HyperVGeneration == "", "properties.hyperVGeneration", "not of an application")
	f.unless(i.Architecture == "", "properties.architecture", "not of an application")
	f.unless(len(i.Features) == 0 && !i.AllowUpdate, "properties.features", "not of an application")
	f.unless(i.Recommended == Recommended{}, "properties.recommended", "not of an application")
	f.unless(len(i.DisallowedTypes) == 0, "properties.disallowed", "not of an application")
	f.unless(i.PurchasePlan == PurchasePlan{}, "properties.purchasePlan", "not of an application")
}

func (f *faults) imageTexts(i *Image) {
	f.text("properties.description", i.Description, MaxText)
	f.text("properties.eula", i.EULA, MaxText)
	f.text("properties.privacyStatementUri", i.PrivacyURI, MaxText)
	f.text("properties.releaseNoteUri", i.ReleaseNoteURI, MaxText)
	f.text("properties.purchasePlan.name", i.PurchasePlan.Name, maxPlanMember)
	f.text("properties.purchasePlan.publisher", i.PurchasePlan.Publisher, maxPlanMember)
	f.text("properties.purchasePlan.product", i.PurchasePlan.Product, maxPlanMember)
	f.unless(len(i.DisallowedTypes) <= maxDiskTypes, "properties.disallowed.diskTypes", "at most %d", maxDiskTypes)
	for _, t := range i.DisallowedTypes {
		f.text("properties.disallowed.diskTypes", t, maxZone)
	}
}

func (f *faults) features(list []Feature) {
	f.unless(len(list) <= maxFeatures, "properties.features", "at most %d", maxFeatures)
	for n, x := range list {
		field := fmt.Sprintf("properties.features[%d]", n)
		f.unless(x.Name != "" && len(x.Name) <= maxFeature, field+".name", "1 to %d bytes", maxFeature)
		f.text(field+".name", x.Name, maxFeature)
		f.text(field+".value", x.Value, maxFeature)
		if x.StartsAtVersion != "" {
			_, err := ParseVersion(x.StartsAtVersion)
			f.unless(err == nil, field+".startsAtVersion", ruleVersion)
		}
		f.unless(!slices.ContainsFunc(list[:n], func(y Feature) bool { return strings.EqualFold(x.Name, y.Name) }), field+".name", "not named twice")
	}
}

func (f *faults) bounds(field string, b Bounds) {
	f.unless(b.Min == nil || *b.Min >= 0, field+".min", "not negative")
	f.unless(b.Max == nil || *b.Max >= 0, field+".max", "not negative")
	f.unless(b.Min == nil || b.Max == nil || *b.Min <= *b.Max, field, "min must not exceed max")
}

// Validate checks what needs no other row. Disks may be absent: on an update they are kept.
func (v *ImageVersion) Validate() error {
	var f faults
	f.artifact(v.Ref.ImageRef, "image")
	f.unless(v.Ref.Version.Valid(), "name", ruleVersion)
	f.unless(validGroup(v.ResourceGroup), "resourceGroup", ruleGroup)
	f.region("location", v.Location)
	replicas := MaxReplicas
	if v.Ref.Kind == ArtifactApplication {
		f.blobs(v)
		f.app(v.App)
		replicas = MaxAppReplicas
	} else {
		f.disks(v.Disks, v.Imports)
		f.unless(v.App == nil, "properties.publishingProfile.manageActions", "of an application only")
	}
	f.profile(&v.Publishing, replicas)
	f.tags(v.Tags)
	f.unless(!v.Safety.BlockDeletionBeforeEndOfLife || !v.Publishing.EndOfLife.IsZero(),
		"properties.safetyProfile.blockDeletionBeforeEndOfLife", "needs an endOfLifeDate")
	f.unless(len(v.Sources) <= MaxSources && (len(v.Sources) == 0 || json.Valid(v.Sources)), "properties.storageProfile", "sources are JSON of at most %d bytes", MaxSources)
	f.wire(v.Wire)
	return f.err()
}

// disks checks the disks that are here and those that are to be imported, together.
func (f *faults) disks(disks []VersionDisk, imports []DiskImport) {
	if len(disks)+len(imports) == 0 {
		return
	}
	luns := map[int]int{}
	for i, d := range disks {
		field := f.lun(d.LUN)
		luns[d.LUN]++
		f.unless(i == 0 || disks[i-1].LUN < d.LUN, field+".lun", "luns are unique and in order")
		f.id(field+".disk", string(d.Disk))
		f.oneOf(field+".hostCaching", d.HostCaching, "", CachingNone, CachingReadOnly, CachingReadWrite)
		f.unless(!slices.ContainsFunc(disks[:i], func(x VersionDisk) bool { return x.Disk == d.Disk }), field, "sources are unique across disks")
	}
	for i := range imports {
		d := &imports[i]
		field := f.lun(d.LUN)
		luns[d.LUN]++
		f.unless((i == 0 || imports[i-1].LUN < d.LUN) && luns[d.LUN] == 1, field+".lun", "luns are unique and in order")
		f.importOf(field+".source", &d.Import)
		f.oneOf(field+".hostCaching", d.HostCaching, "", CachingNone, CachingReadOnly, CachingReadWrite)
		f.unless(!slices.ContainsFunc(imports[:i], func(x DiskImport) bool { return x.Same(&d.Import) }), field, "sources are unique across disks")
	}
	f.unless(luns[LUNOS] == 1, "properties.storageProfile.osDiskImage", "exactly one OS disk (lun -1)")
}

// lun checks the lun of a disk of an image and returns the field that it is.
func (f *faults) lun(n int) string {
	if n == LUNOS {
		return "properties.storageProfile.osDiskImage"
	}
	field := fmt.Sprintf("properties.storageProfile.dataDiskImages[lun=%d]", n)
	f.unless(n >= 0 && n <= MaxLUN, field+".lun", "0 to %d", MaxLUN)
	return field
}

func (f *faults) profile(p *PublishingProfile, replicas int) {
	const at = "properties.publishingProfile."
	f.unless(p.ReplicaCount >= 0 && p.ReplicaCount <= replicas, at+"replicaCount", "1 to %d", replicas)
	f.class(at+"storageAccountType", p.StorageClass)
	f.priority(at+"priority", p.Priority)
	f.oneOf(at+"replicationMode", p.ReplicationMode, "", ReplicationFull, ReplicationShallow)
	f.unless(p.ReplicationMode != ReplicationShallow || p.single(), at+"replicationMode", "a Shallow version has one replica, in its own region")
	f.unless(len(p.TargetRegions) <= MaxTargetRegions, at+"targetRegions", "at most %d", MaxTargetRegions)
	for i, t := range p.TargetRegions {
		field := fmt.Sprintf("%stargetRegions[%d]", at, i)
		f.region(field+".name", t.Region)
		f.unless(t.ReplicaCount >= 0 && t.ReplicaCount <= replicas, field+".regionalReplicaCount", "1 to %d", replicas)
		f.class(field+".storageAccountType", t.StorageClass)
		f.priority(field+".priority", t.Priority)
		f.unless(!slices.ContainsFunc(p.TargetRegions[:i], func(x TargetRegion) bool { return x.Region == t.Region }), field+".name", "region %q is named twice", t.Region)
	}
}

// single says whether a profile asks for no more than one replica in one region, which is the version's own.
func (p *PublishingProfile) single() bool {
	return len(p.TargetRegions) <= 1 && p.ReplicaCount <= 1 && (len(p.TargetRegions) == 0 || p.TargetRegions[0].ReplicaCount <= 1)
}

func (f *faults) priority(field string, p Priority) {
	f.oneOf(field, string(p), "", string(PriorityHigh), string(PriorityNormal), string(PriorityLow))
}

func (f *faults) class(field string, c StorageClass) {
	f.oneOf(field, string(c), "", string(StandardLRS), string(StandardZRS), string(PremiumLRS))
}
