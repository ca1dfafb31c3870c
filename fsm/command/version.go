package command

import "loggia/gallery"

func versionDefs() []Def {
	return []Def{
		def[VersionPut, *VersionPut, gallery.ImageVersion](KindVersionPut, "version.put"),
		def[VersionDelete, *VersionDelete, noValue](KindVersionDelete, "version.delete"),
	}
}

// VersionPut creates or replaces an image version, and with it the replicas that are wanted. Its disks were made by uploads;
// absent on an update they are kept. Dropping or thinning out a region that has finished replicas needs
// allowDeletionOfReplicatedLocations, before or in this write (ErrNotAllowed). Its result is the *gallery.ImageVersion.
type VersionPut struct {
	Version gallery.ImageVersion `cbor:"1,keyasint"`
	If      Precondition         `cbor:"2,keyasint,omitzero"`
}

// VersionDelete removes a version and, with the last version that has them, its disks and their replicas.
// ErrNotAllowed while blockDeletionBeforeEndOfLife holds.
type VersionDelete struct {
	Ref gallery.VersionRef `cbor:"1,keyasint"`
	If  Precondition       `cbor:"2,keyasint,omitzero"`
}

func (*VersionPut) Kind() Kind    { return KindVersionPut }
func (*VersionDelete) Kind() Kind { return KindVersionDelete }

// Check implements Command.
func (c *VersionPut) Check() error { return c.Version.Validate() }

// Check implements Command.
func (c *VersionDelete) Check() error { return checkVersionRef(c.Ref) }
