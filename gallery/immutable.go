package gallery

import (
	"fmt"
	"slices"
	"strings"
)

const ruleImmutable = "cannot be changed after creation"

// same notes a member that may not change and did.
func (f *faults) same(ok bool, field string) { f.unless(ok, field, ruleImmutable) }

// CheckUpdate says what of g may not follow old: an *Error of kind ErrImmutable, or nil.
func (g *Gallery) CheckUpdate(old *Gallery) error {
	f := faults{kind: ErrImmutable}
	f.same(g.Tenant == old.Tenant, "tenant")
	f.same(strings.EqualFold(g.ResourceGroup, old.ResourceGroup), "resourceGroup")
	f.same(g.Location == old.Location, "location")
	return f.err()
}

// CheckUpdate says what of i may not follow old: an *Error of kind ErrImmutable, or nil.
func (i *Image) CheckUpdate(old *Image) error {
	f := faults{kind: ErrImmutable}
	f.same(strings.EqualFold(i.ResourceGroup, old.ResourceGroup), "resourceGroup")
	f.same(i.Location == old.Location, "location")
	if i.Ref.Kind == ArtifactApplication { // the rest of it may change, eula and privacyStatementUri too
		f.same(i.OSType == old.OSType, "properties.supportedOSType")
		return f.err()
	}
	f.same(i.OSType == old.OSType, "properties.osType")
	f.same(i.OSState == old.OSState, "properties.osState")
	f.same(i.Identifier == old.Identifier, "properties.identifier")
	f.same(i.HyperVGeneration == old.HyperVGeneration, "properties.hyperVGeneration")
	f.same(i.Architecture == old.Architecture, "properties.architecture")
	f.same(old.AllowUpdate || i.AllowUpdate || slices.Equal(i.Features, old.Features), "properties.features")
	f.same(i.EULA == old.EULA, "properties.eula")
	f.same(i.PrivacyURI == old.PrivacyURI, "properties.privacyStatementUri")
	f.same(i.PurchasePlan == old.PurchasePlan, "properties.purchasePlan")
	return f.err()
}

// CheckUpdate says what of v may not follow old: an *Error of kind ErrImmutable, or nil. Target regions, counts,
// excludeFromLatest, endOfLifeDate, tags and the safety profile may change, and the storage class of a region that is added.
func (v *ImageVersion) CheckUpdate(old *ImageVersion) error {
	f := faults{kind: ErrImmutable}
	f.same(strings.EqualFold(v.ResourceGroup, old.ResourceGroup), "resourceGroup")
	f.same(v.Location == old.Location, "location")
	f.same(sameDisks(v, old), "properties.storageProfile")
	sameApp(&f, v.App, old.App)
	f.same(orClass(v.Publishing.StorageClass) == orClass(old.Publishing.StorageClass), "properties.publishingProfile.storageAccountType")
	f.same(orFull(v.Publishing.ReplicationMode) == orFull(old.Publishing.ReplicationMode), "properties.publishingProfile.replicationMode")
	for i, t := range v.Publishing.Targets() {
		if was, ok := old.Publishing.Target(t.Region); ok {
			f.same(was.StorageClass == t.StorageClass, fmt.Sprintf("properties.publishingProfile.targetRegions[%d].storageAccountType", i))
		}
	}
	return f.err()
}

// sameDisks compares the disks by their luns; one that was imported meanwhile is the same.
func sameDisks(v, old *ImageVersion) bool {
	ready := slices.EqualFunc(v.Disks, old.Disks, func(x, y VersionDisk) bool {
		return x.LUN == y.LUN && x.Disk == y.Disk && x.HostCaching == y.HostCaching
	})
	return ready && slices.EqualFunc(v.Imports, old.Imports, func(x, y DiskImport) bool {
		return x.LUN == y.LUN && x.HostCaching == y.HostCaching && x.Same(&y.Import)
	})
}

func orClass(c StorageClass) StorageClass {
	if c == "" {
		return StandardLRS
	}
	return c
}

func orFull(mode string) string {
	if mode == "" {
		return ReplicationFull
	}
	return mode
}
