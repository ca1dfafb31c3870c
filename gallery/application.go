package gallery

import "fmt"

// ArtifactKind says what kind of artifact a definition in a gallery and its versions are.
type ArtifactKind string

// The kinds of artifacts.
const (
	ArtifactImage       ArtifactKind = ""
	ArtifactApplication ArtifactKind = "application"
)

// Valid says whether k is a kind of artifact.
func (k ArtifactKind) Valid() bool { return k == ArtifactImage || k == ArtifactApplication }

// The LUNs of an application version's blobs.
const (
	LUNPackage = 0
	LUNConfig  = 1
)

// The behaviours of an application's script after a reboot.
const (
	AfterRebootNone  = "None"
	AfterRebootRerun = "Rerun"
)

// Bounds of an application version.
const (
	MaxAppScript   = 4096 // bytes of each manage action
	MaxAppFileName = 4096 // bytes
	MaxAppReplicas = 10   // per region
	MaxAppPackage  = 2 << 30
	MaxAppConfig   = 1 << 30
)

// AppVersion is what an application version has beside its blobs. All of it but EnableHealthCheck is immutable.
type AppVersion struct {
	PackageFile       string `cbor:"1,keyasint,omitempty"` // packageFileName
	ConfigFile        string `cbor:"2,keyasint,omitempty"` // configFileName
	Install           string `cbor:"3,keyasint"`
	Remove            string `cbor:"4,keyasint"`
	Update            string `cbor:"5,keyasint,omitempty"`
	AfterReboot       string `cbor:"6,keyasint,omitempty"` // scriptBehaviorAfterReboot; empty: None
	EnableHealthCheck bool   `cbor:"7,keyasint,omitempty"`
}

func (f *faults) app(a *AppVersion) {
	const at = "properties.publishingProfile."
	if a == nil {
		f.add(at+"manageActions", "required")
		return
	}
	f.unless(a.Install != "", at+"manageActions.install", "required")
	f.unless(a.Remove != "", at+"manageActions.remove", "required")
	f.text(at+"manageActions.install", a.Install, MaxAppScript)
	f.text(at+"manageActions.remove", a.Remove, MaxAppScript)
	f.text(at+"manageActions.update", a.Update, MaxAppScript)
	f.text(at+"settings.packageFileName", a.PackageFile, MaxAppFileName)
	f.text(at+"settings.configFileName", a.ConfigFile, MaxAppFileName)
	f.oneOf(at+"settings.scriptBehaviorAfterReboot", a.AfterReboot, "", AfterRebootNone, AfterRebootRerun)
}

// sameApp compares what may not change of an application version.
func sameApp(f *faults, a, b *AppVersion) {
	const at = "properties.publishingProfile."
	if a == nil || b == nil {
		f.same(a == b, at+"manageActions")
		return
	}
	f.same(a.Install == b.Install && a.Remove == b.Remove && a.Update == b.Update, at+"manageActions")
	f.same(a.PackageFile == b.PackageFile && a.ConfigFile == b.ConfigFile && orNone(a.AfterReboot) == orNone(b.AfterReboot), at+"settings")
}

func orNone(s string) string {
	if s == "" {
		return AfterRebootNone
	}
	return s
}

// blobs checks the blobs of an application version: a package, and perhaps a configuration.
func (f *faults) blobs(v *ImageVersion) {
	n := map[int]int{}
	for i, d := range v.Disks {
		f.unless(d.LUN == LUNPackage || d.LUN == LUNConfig, blobField(d.LUN), "lun %d for the package, %d for the configuration", LUNPackage, LUNConfig)
		f.unless(i == 0 || v.Disks[i-1].LUN < d.LUN, blobField(d.LUN), "luns are unique and in order")
		f.id(blobField(d.LUN), string(d.Disk))
		n[d.LUN]++
	}
	for i := range v.Imports {
		d := &v.Imports[i]
		f.unless(d.LUN == LUNPackage || d.LUN == LUNConfig, blobField(d.LUN), "lun %d for the package, %d for the configuration", LUNPackage, LUNConfig)
		f.importOf(blobField(d.LUN), &d.Import)
		n[d.LUN]++
	}
	f.unless(n[LUNPackage] <= 1 && n[LUNConfig] <= 1, blobField(LUNPackage), "each at most once")
	f.unless(len(v.Disks)+len(v.Imports) == 0 || n[LUNPackage] == 1, blobField(LUNPackage), "required")
}

func blobField(lun int) string {
	if lun == LUNConfig {
		return "properties.publishingProfile.source.defaultConfigurationLink"
	}
	return "properties.publishingProfile.source.mediaLink"
}

// DiskField returns the JSON path of the source of one disk of a version.
func (r ImageRef) DiskField(lun int) string {
	switch {
	case r.Kind == ArtifactApplication:
		return blobField(lun)
	case lun == LUNOS:
		return "properties.storageProfile.osDiskImage.source"
	}
	return fmt.Sprintf("properties.storageProfile.dataDiskImages[lun=%d].source", lun)
}

// Content returns what the disks of a version of the definition hold.
func (r ImageRef) Content() ContentKind {
	if r.Kind == ArtifactApplication {
		return ContentBlob
	}
	return ContentDisk
}
