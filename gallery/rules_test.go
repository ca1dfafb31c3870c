package gallery

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const testID = "aaaaaaaa-0000-4000-8000-000000000001"
const testID2 = "aaaaaaaa-0000-4000-8000-000000000002"

func goodImage() Image {
	return Image{Ref: ImageRef{GalleryRef: GalleryRef{testID, "g"}, Image: "i"}, ResourceGroup: DefaultGroup, Location: "a", OSType: OSLinux, OSState: StateGeneralized,
		Identifier: Identifier{"p", "o", "s"}, HyperVGeneration: GenerationV2, Architecture: ArchX64}
}

func goodVersion() ImageVersion {
	return ImageVersion{Ref: VersionRef{goodImage().Ref, Version{1, 0, 0}}, ResourceGroup: DefaultGroup, Location: "a",
		Disks:      []VersionDisk{{LUN: LUNOS, Disk: testID}, {LUN: 0, Disk: testID2}},
		Publishing: PublishingProfile{TargetRegions: []TargetRegion{{Region: "a"}, {Region: "b", ReplicaCount: 2}}}}
}

func wantField(t *testing.T, err error, kind Kind, field string) {
	t.Helper()
	var e *Error
	switch {
	case field == "" && err == nil:
	case !errors.As(err, &e) || e.Kind != kind || e.Field != field || e.Message == "":
		t.Errorf("got %v, want %s at %q", err, kind, field)
	}
}

func TestImageRules(t *testing.T) {
	two, one := int32(2), int32(1)
	for name, x := range map[string]struct {
		change func(*Image)
		field  string
	}{
		"good":           {func(*Image) {}, ""},
		"name":           {func(i *Image) { i.Ref.Image = "a-" }, "name"},
		"os type":        {func(i *Image) { i.OSType = "linux" }, "properties.osType"},
		"os state":       {func(i *Image) { i.OSState = "" }, "properties.osState"},
		"publisher":      {func(i *Image) { i.Identifier.Publisher = strings.Repeat("p", 129) }, "properties.identifier.publisher"},
		"publisher 128":  {func(i *Image) { i.Identifier.Publisher = strings.Repeat("p", 128) }, ""},
		"offer":          {func(i *Image) { i.Identifier.Offer = strings.Repeat("p", 65) }, "properties.identifier.offer"},
		"sku dot":        {func(i *Image) { i.Identifier.SKU = "s." }, "properties.identifier.sku"},
		"generation":     {func(i *Image) { i.HyperVGeneration = "V3" }, "properties.hyperVGeneration"},
		"architecture":   {func(i *Image) { i.Architecture = "riscv" }, "properties.architecture"},
		"min over max":   {func(i *Image) { i.Recommended.Memory = Bounds{&two, &one} }, "properties.recommended.memory"},
		"equal bounds":   {func(i *Image) { i.Recommended.Memory = Bounds{&two, &two} }, ""},
		"feature":        {func(i *Image) { i.Features = []Feature{{Value: "x"}} }, "properties.features[0].name"},
		"feature twice":  {func(i *Image) { i.Features = []Feature{{Name: "x"}, {Name: "X"}} }, "properties.features[1].name"},
		"starts at":      {func(i *Image) { i.Features = []Feature{{Name: "x", StartsAtVersion: "1"}} }, "properties.features[0].startsAtVersion"},
		"tags":           {func(i *Image) { i.Tags = map[string]string{"": "x"} }, "tags"},
		"resource group": {func(i *Image) { i.ResourceGroup = "a/b" }, "resourceGroup"},
		"description":    {func(i *Image) { i.Description = strings.Repeat("x", MaxText+1) }, "properties.description"},
	} {
		t.Run(name, func(t *testing.T) {
			i := goodImage()
			x.change(&i)
			wantField(t, i.Validate(), ErrInvalid, x.field)
		})
	}
}

func TestVersionRules(t *testing.T) {
	const profile = "properties.publishingProfile."
	const storage = "properties.storageProfile."
	for name, x := range map[string]struct {
		change func(*ImageVersion)
		field  string
	}{
		"good":         {func(*ImageVersion) {}, ""},
		"no disks":     {func(v *ImageVersion) { v.Disks = nil }, ""},
		"no os disk":   {func(v *ImageVersion) { v.Disks = v.Disks[1:] }, storage + "osDiskImage"},
		"lun twice":    {func(v *ImageVersion) { v.Disks[1].LUN = LUNOS }, storage + "osDiskImage.lun"},
		"lun":          {func(v *ImageVersion) { v.Disks[1].LUN = 64 }, storage + "dataDiskImages[lun=64].lun"},
		"one source":   {func(v *ImageVersion) { v.Disks[1].Disk = testID }, storage + "dataDiskImages[lun=0]"},
		"caching":      {func(v *ImageVersion) { v.Disks[0].HostCaching = "x" }, storage + "osDiskImage.hostCaching"},
		"count":        {func(v *ImageVersion) { v.Publishing.TargetRegions[1].ReplicaCount = 101 }, profile + "targetRegions[1].regionalReplicaCount"},
		"count 100":    {func(v *ImageVersion) { v.Publishing.TargetRegions[1].ReplicaCount = 100 }, ""},
		"negative":     {func(v *ImageVersion) { v.Publishing.ReplicaCount = -1 }, profile + "replicaCount"},
		"region twice": {func(v *ImageVersion) { v.Publishing.TargetRegions[1].Region = "a" }, profile + "targetRegions[1].name"},
		"region name":  {func(v *ImageVersion) { v.Publishing.TargetRegions[1].Region = "B" }, profile + "targetRegions[1].name"},
		"class":        {func(v *ImageVersion) { v.Publishing.StorageClass = "Ultra" }, profile + "storageAccountType"},
		"shallow":      {func(v *ImageVersion) { v.Publishing.ReplicationMode = ReplicationShallow }, profile + "replicationMode"},
		"shallow, alone": {func(v *ImageVersion) {
			v.Publishing.ReplicationMode, v.Publishing.TargetRegions = ReplicationShallow, []TargetRegion{{Region: v.Location, ReplicaCount: 1}}
		}, ""},
		"shallow, twice": {func(v *ImageVersion) {
			v.Publishing.ReplicationMode, v.Publishing.TargetRegions = ReplicationShallow, []TargetRegion{{Region: v.Location, ReplicaCount: 2}}
		}, profile + "replicationMode"},
		"mode":            {func(v *ImageVersion) { v.Publishing.ReplicationMode = "Deep" }, profile + "replicationMode"},
		"block needs end": {func(v *ImageVersion) { v.Safety.BlockDeletionBeforeEndOfLife = true }, "properties.safetyProfile.blockDeletionBeforeEndOfLife"},
		"location":        {func(v *ImageVersion) { v.Location = "" }, "location"},
	} {
		t.Run(name, func(t *testing.T) {
			v := goodVersion()
			x.change(&v)
			wantField(t, v.Validate(), ErrInvalid, x.field)
		})
	}
	v := goodVersion()
	v.Location, v.Publishing.ReplicaCount = "", 1000
	if err := v.Validate(); !strings.Contains(err.Error(), "replicaCount: 1 to 100") || !strings.Contains(err.Error(), "location: 1 to 40") {
		t.Errorf("not every rule is listed: %v", err)
	}
}

func TestImmutable(t *testing.T) {
	old := goodVersion()
	for name, x := range map[string]struct {
		change func(*ImageVersion)
		field  string
	}{
		"nothing": {func(*ImageVersion) {}, ""},
		"count":   {func(v *ImageVersion) { v.Publishing.TargetRegions[1].ReplicaCount = 5 }, ""},
		"flags": {func(v *ImageVersion) {
			v.Publishing.ExcludeFromLatest = true
			v.Publishing.EndOfLife = time.Unix(9e9, 0)
		}, ""},
		"explicit class":  {func(v *ImageVersion) { v.Publishing.TargetRegions[1].StorageClass = StandardLRS }, ""},
		"location":        {func(v *ImageVersion) { v.Location = "b" }, "location"},
		"disk":            {func(v *ImageVersion) { v.Disks[0].Disk = testID2 }, "properties.storageProfile"},
		"disk more":       {func(v *ImageVersion) { v.Disks = append(v.Disks, VersionDisk{LUN: 1}) }, "properties.storageProfile"},
		"class of region": {func(v *ImageVersion) { v.Publishing.TargetRegions[1].StorageClass = PremiumLRS }, "properties.publishingProfile.targetRegions[1].storageAccountType"},
		"class of profile": {func(v *ImageVersion) {
			v.Publishing.StorageClass = PremiumLRS
			v.Publishing.TargetRegions[0].StorageClass, v.Publishing.TargetRegions[1].StorageClass = StandardLRS, StandardLRS
		}, "properties.publishingProfile.storageAccountType"},
		"class of a new region": {func(v *ImageVersion) {
			v.Publishing.TargetRegions = append(v.Publishing.TargetRegions, TargetRegion{Region: "c", StorageClass: PremiumLRS})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := goodVersion()
			x.change(&v)
			wantField(t, v.CheckUpdate(&old), ErrImmutable, x.field)
		})
	}
	image := goodImage()
	changed := goodImage()
	changed.Features = []Feature{{Name: "x"}}
	wantField(t, changed.CheckUpdate(&image), ErrImmutable, "properties.features")
	changed.AllowUpdate = true
	wantField(t, changed.CheckUpdate(&image), ErrImmutable, "")
	changed.OSType = OSWindows
	wantField(t, changed.CheckUpdate(&image), ErrImmutable, "properties.osType")
}
