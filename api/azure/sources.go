package azure

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"loggia/api/azure/armid"
	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/gallery"
)

const storagePath = "properties.storageProfile"

// sources fills the disks of a new version from what its body names. Whatever is named, the caller must have the right to read it.
func (h *handler) sources(r *request, a artifact, tree schema.Tree, v *gallery.ImageVersion) error {
	if a.kind == gallery.ArtifactApplication {
		return h.packageSources(tree, v)
	}
	storage := members(tree, storagePath)
	if id := text(storage, "source.id"); id != "" {
		return h.wholeSource(r, tree, v, id)
	}
	for _, name := range []string{"virtualMachineId", "communityGalleryImageId"} {
		if text(storage, "source."+name) != "" {
			return fault.At(fault.InvalidParameter, storagePath+".source."+name, "This kind of source is not supported here; name a gallery image version or snapshots.")
		}
	}
	if os, ok := storage["osDiskImage"].(map[string]any); ok {
		if err := h.diskSource(r, os, gallery.LUNOS, storagePath+".osDiskImage.source", v); err != nil {
			return err
		}
	}
	for i, d := range objects(storage, "dataDiskImages") {
		if err := h.diskSource(r, d, int(integer(d, "lun")), fmt.Sprintf("%s.dataDiskImages[%d].source", storagePath, i), v); err != nil {
			return err
		}
	}
	return nil
}

// wholeSource takes all disks of another version, or a snapshot as the only disk.
func (h *handler) wholeSource(r *request, tree schema.Tree, v *gallery.ImageVersion, id string) error {
	at := storagePath + ".source.id"
	src, err := h.findSource(r, id, at)
	if err != nil {
		return err
	}
	for _, d := range src.disks {
		d.HostCaching = orDefault(cachingOf(tree, d.LUN), d.HostCaching)
		v.Disks = append(v.Disks, d)
	}
	if src.foreign {
		v.Imports = importsOf(v.Disks, id)
		v.Disks = nil
	}
	return nil
}

func cachingOf(tree schema.Tree, lun int) string {
	if lun == gallery.LUNOS {
		return text(tree, storagePath+".osDiskImage.hostCaching")
	}
	for _, d := range objects(tree, storagePath+".dataDiskImages") {
		if int(integer(d, "lun")) == lun {
			return text(d, "hostCaching")
		}
	}
	return ""
}

// importsOf makes copies of disks that lie in another domain.
func importsOf(disks []gallery.VersionDisk, id string) []gallery.DiskImport {
	var out []gallery.DiskImport
	for _, d := range disks {
		out = append(out, gallery.DiskImport{LUN: d.LUN, HostCaching: d.HostCaching, Import: gallery.Import{ID: newImport(), Source: d.Disk, Resource: id}})
	}
	return out
}

// diskSource takes one disk from what its source names: a snapshot, or a URI to import.
func (h *handler) diskSource(r *request, disk schema.Tree, lun int, at string, v *gallery.ImageVersion) error {
	caching := text(disk, "hostCaching")
	id, uri, account := text(disk, "source.id"), text(disk, "source.uri"), text(disk, "source.storageAccountId")
	switch {
	case uri != "":
		if account == "" {
			account = id // older clients put the account here
		}
		if err := checkURI(uri, at+".uri"); err != nil {
			return err
		}
		if err := h.account(r, account, at+".storageAccountId"); err != nil {
			return err
		}
		v.Imports = append(v.Imports, gallery.DiskImport{LUN: lun, HostCaching: caching, Import: gallery.Import{ID: newImport(), URI: uri, Account: account}})
		return nil
	case id != "":
		src, err := h.findSource(r, id, at+".id")
		if err != nil {
			return err
		}
		if len(src.disks) != 1 {
			return fault.At(fault.InvalidParameter, at+".id", "The source has %d disks; name it as storageProfile.source.id, or name a snapshot.", len(src.disks))
		}
		if src.foreign {
			v.Imports = append(v.Imports, gallery.DiskImport{LUN: lun, HostCaching: caching, Import: gallery.Import{ID: newImport(), Source: src.disks[0].Disk, Resource: id}})
			return nil
		}
		v.Disks = append(v.Disks, gallery.VersionDisk{LUN: lun, Disk: src.disks[0].Disk, HostCaching: caching})
		return nil
	}
	return fault.At(fault.InvalidParameter, at, "The disk needs a source: an id of a snapshot, or a uri with its storageAccountId.")
}

// packageSources takes an application's package and default configuration.
func (h *handler) packageSources(tree schema.Tree, v *gallery.ImageVersion) error {
	for lun, name := range []string{"mediaLink", "defaultConfigurationLink"} {
		at := "properties.publishingProfile.source." + name
		link := text(tree, at)
		if link == "" {
			if lun == 0 {
				return fault.At(fault.InvalidParameter, at, "The link to the package is required.")
			}
			continue
		}
		if err := checkURI(link, at); err != nil {
			return err
		}
		v.Imports = append(v.Imports, gallery.DiskImport{LUN: lun, Import: gallery.Import{ID: newImport(), URI: link}})
	}
	return nil
}

// checkURI refuses what can never be fetched; where it may be fetched from is decided by who fetches it.
func checkURI(text, at string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || len(text) > 2048 {
		return fault.At(fault.InvalidParameter, at, "The link must be an http or https URL of at most 2048 bytes without user information.")
	}
	return nil
}

// account checks the right to read from a storage account that a body names: the operator's credentials stand behind it.
func (h *handler) account(r *request, id, at string) error {
	if id == "" {
		return nil
	}
	parsed, err := armid.ParseID(id)
	if err != nil || !strings.EqualFold(parsed.Type(), "Microsoft.Storage/storageAccounts") || parsed.Name() == "" {
		return fault.At(fault.InvalidParameter, at, "The member must be the id of a storage account.")
	}
	if !h.o.Access.Sees(r.Context(), parsed.Subscription()) {
		return fault.At(fault.NotFound, at, "The source '%s' could not be found.", id)
	}
	const action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
	if err := h.o.Access.Check(r.Context(), action, parsed.String()); err != nil {
		return fault.At(fault.LinkedAuthorization, at, "The client has permission to write the resource, but not to perform '%s' on the linked scope '%s'.", action, parsed)
	}
	return nil
}

// source is what a body named and the caller may read.
type source struct {
	disks   []gallery.VersionDisk
	foreign bool // of another domain: the bytes must be copied
	osType  string
}

// findSource reads an id in a body, checks the caller's right to read it, and returns its disks. One of a tenant in which the caller sees nothing is told
// like one that is not there.
func (h *handler) findSource(r *request, id, at string) (source, error) {
	parsed, err := armid.ParseID(id)
	if err != nil {
		return source{}, fault.At(fault.InvalidParameter, at, "The id '%.200s' is malformed.", id)
	}
	m := h.router.resource(parsed)
	get := m.routes["GET"]
	missing := fault.At(fault.NotFound, at, "The source '%s' could not be found.", id)
	if get == nil || m.vars["name"] == "" && m.vars["version"] == "" {
		return source{}, fault.At(fault.InvalidParameter, at, "The id '%s' names nothing that a disk can be made from: give a gallery image version or a snapshot.", id)
	}
	sub := gallery.SubscriptionID(strings.ToLower(m.vars["sub"]))
	if !h.o.Access.Sees(r.Context(), sub) {
		return source{}, missing
	}
	if err := h.o.Access.Check(r.Context(), get.action, m.path); err != nil {
		return source{}, fault.At(fault.LinkedAuthorization, at, "The client has permission to write the resource, but not to perform '%s' on the linked scope '%s'.", get.action, m.path)
	}
	other := *r
	other.match, other.id = m, parsed
	src, err := h.sourceOf(&other)
	if errors.Is(err, gallery.ErrNotFound) {
		return source{}, missing
	}
	if err != nil {
		return source{}, err
	}
	src.foreign, err = h.crossing(r, sub)
	return src, err
}

func (h *handler) sourceOf(r *request) (source, error) {
	if r.vars["version"] != "" {
		v, err := h.loadVersion(r, imageArtifact)
		if err == nil && len(v.Disks) == 0 {
			err = fault.New(fault.Conflict, "The source version '%s' has no disks yet: it is still being made.", r.path)
		}
		return source{disks: v.Disks}, err
	}
	s, err := h.o.Service.Snapshot(r.Context(), r.snapshotRef())
	if err == nil && s.Disk == "" {
		err = fault.New(fault.Conflict, "The snapshot '%s' has no bytes yet: it is still being made, or that failed.", r.path)
	}
	return source{disks: []gallery.VersionDisk{{LUN: gallery.LUNOS, Disk: s.Disk}}, osType: s.OSType}, err
}

// crossing says whether a subscription belongs to another tenant than that of the path, so that nothing may be shared (S2).
func (h *handler) crossing(r *request, from gallery.SubscriptionID) (bool, error) {
	a, err := h.o.Service.Subscription(r.Context(), r.sub())
	if err != nil {
		return false, err
	}
	b, err := h.o.Service.Subscription(r.Context(), from)
	return a.Tenant != b.Tenant, err
}
