package azure

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/api/respond"
	"loggia/gallery"
)

func (r *request) snapshotRef() gallery.SnapshotRef {
	return gallery.SnapshotRef{GroupRef: r.group(), Name: gallery.SnapshotName(r.vars["name"])}
}

// snapshots is the kind of snapshots: bytes in Azure's terms. Clients refuse 201 for them.
func (h *handler) snapshots() kind {
	return kind{schema: schema.Snapshot, created: http.StatusOK, parent: h.inGroup,
		load: func(r *request) (shown, error) {
			s, err := h.o.Service.Snapshot(r.Context(), r.snapshotRef())
			if err != nil {
				return shown{}, err
			}
			return showSnapshot(s), nil
		},
		store:  h.storeSnapshot,
		remove: func(r *request, w Write) error { return h.o.Service.DeleteSnapshot(r.Context(), r.snapshotRef(), w) }}
}

func (h *handler) storeSnapshot(r *request, tree schema.Tree, before *shown, w Write) (shown, error) {
	ref := r.snapshotRef()
	if _, err := gallery.ParseSnapshotName(string(ref.Name)); err != nil {
		return shown{}, invalidName(err)
	}
	p := members(tree, "properties")
	s := gallery.Snapshot{Ref: ref, Location: gallery.NormalizeRegion(text(tree, "location")), Tags: tags(tree), SKU: text(tree, "sku.name"),
		OSType: text(p, "osType"), HyperVGeneration: text(p, "hyperVGeneration"), Incremental: flag(p, "incremental"), UniqueID: uuid.NewString(), Wire: keep(tree)}
	if before == nil {
		if err := h.snapshotSource(r, p, &s); err != nil {
			return shown{}, err
		}
	}
	out, err := h.o.Service.PutSnapshot(r.Context(), s, w)
	return showSnapshot(out), err
}

const creationPath = "properties.creationData"

func newImport() gallery.ImportID { return gallery.ImportID(uuid.NewString()) }

// snapshotSource fills a new snapshot from its creationData.
func (h *handler) snapshotSource(r *request, p schema.Tree, s *gallery.Snapshot) error {
	option, uri, id := text(p, "creationData.createOption"), text(p, "creationData.sourceUri"), text(p, "creationData.sourceResourceId")
	switch option {
	case "Import":
		if err := checkURI(uri, creationPath+".sourceUri"); err != nil {
			return err
		}
		if err := h.account(r, text(p, "creationData.storageAccountId"), creationPath+".storageAccountId"); err != nil {
			return err
		}
		s.Import = &gallery.Import{ID: newImport(), URI: uri, Account: text(p, "creationData.storageAccountId")}
		return nil
	case "Copy":
		src, err := h.findSource(r, id, creationPath+".sourceResourceId")
		if err != nil {
			return err
		}
		i := 0
		for n, d := range src.disks {
			if d.LUN == gallery.LUNOS {
				i = n
			}
		}
		if src.foreign {
			s.Import = &gallery.Import{ID: newImport(), Source: src.disks[i].Disk, Resource: id}
		} else {
			s.Disk = src.disks[i].Disk
		}
		s.OSType = orDefault(s.OSType, src.osType)
		return nil
	case "Upload":
		return fault.At(fault.InvalidParameter, creationPath+".createOption", "Bytes are uploaded with 'loggia upload', which makes the snapshot.")
	}
	return fault.At(fault.InvalidParameter, creationPath+".createOption", "The create option must be Import (with sourceUri) or Copy (with sourceResourceId).")
}

func showSnapshot(s Snapshot) shown {
	t := envelope{id: idOfSnapshot(s.Ref), name: string(s.Ref.Name), kind: "Microsoft.Compute/snapshots", location: s.Location, tags: s.Tags}.on(kept(s.Wire))
	delete(t, "systemData")
	p := made(t, "properties")
	if members(p, "creationData")["createOption"] == nil {
		always(p, "creationData.createOption", "Upload")
	}
	sku := made(t, "sku")
	sku["name"] = orDefault(s.SKU, "Standard_LRS")
	sku["tier"] = "Standard"
	set(p, "osType", s.OSType)
	set(p, "hyperVGeneration", s.HyperVGeneration)
	p["incremental"] = s.Incremental
	size := s.Content.Size
	if size > 0 {
		p["diskSizeGB"], p["diskSizeBytes"] = (size+1<<30-1)>>30, size
	}
	setDate(p, "timeCreated", s.Created)
	set(p, "uniqueId", s.UniqueID)
	p["provisioningState"] = string(s.State)
	p["diskState"] = "Unattached"
	if len(s.Access) > 0 {
		p["diskState"] = "ActiveSAS"
	}
	if s.Import != nil && s.Import.Failed() {
		p["failure"] = map[string]any{"reason": string(s.Import.Reason), "message": s.Import.Message}
	}
	return shown{tree: t, etag: s.ETag, location: s.Location, operation: s.Operation}
}

func (h *handler) listSnapshots(r *request) (answer, error) {
	group, inGroup := r.vars["group"]
	if inGroup {
		if err := h.inGroup(r); err != nil {
			return answer{}, err
		}
	}
	all, err := h.o.Service.Snapshots(r.Context(), r.sub())
	if err != nil {
		return answer{}, err
	}
	kept := all[:0:0]
	for _, s := range all {
		if !inGroup || strings.EqualFold(string(s.Ref.Group), group) {
			kept = append(kept, s)
		}
	}
	return paged(r, kept, func(s Snapshot) string { return strings.ToLower(s.Ref.String()) },
		func(s Snapshot) (any, error) {
			return schema.Render(schema.Snapshot, r.version, showSnapshot(s).tree), nil
		})
}

// The bounds of an access link.
const (
	minAccess = time.Minute
	maxAccess = 24 * time.Hour
)

// beginAccess answers an https link to the snapshot's disk: as a fixed VHD, or raw with ?format=raw.
func (h *handler) beginAccess(r *request) (answer, error) {
	var in struct {
		Access   string `json:"access"`
		Duration int64  `json:"durationInSeconds"`
	}
	if err := json.NewDecoder(respond.Body(r.w, r.Request, maxBody)).Decode(&in); err != nil {
		return answer{}, fault.New(fault.InvalidRequestContent, "The body must be JSON with access and durationInSeconds.")
	}
	if !strings.EqualFold(in.Access, "Read") {
		return answer{}, fault.At(fault.InvalidParameter, "access", "Only the access Read can be granted.")
	}
	life := time.Duration(in.Duration) * time.Second
	if in.Duration < int64(minAccess/time.Second) || in.Duration > int64(maxAccess/time.Second) {
		return answer{}, fault.At(fault.InvalidParameter, "durationInSeconds", "The duration must be %d to %d seconds.", int64(minAccess/time.Second), int64(maxAccess/time.Second))
	}
	s, err := h.o.Service.Snapshot(r.Context(), r.snapshotRef())
	if err != nil {
		return answer{}, err
	}
	if s.Disk == "" {
		return answer{}, fault.New(fault.Conflict, "The snapshot has no bytes yet: it is still being made, or that failed.")
	}
	w := Write{Start: r.started(gallery.OperationAccess, r.path, s.Location)}
	path, err := h.o.Service.GrantAccess(r.Context(), r.snapshotRef(), life, w)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"accessSAS": r.base() + path}), nil
}

func (h *handler) endAccess(r *request) (answer, error) {
	s, err := h.o.Service.Snapshot(r.Context(), r.snapshotRef())
	if err != nil {
		return answer{}, err
	}
	if err := h.o.Service.RevokeAccess(r.Context(), r.snapshotRef(), Write{Start: r.started(gallery.OperationAccess, r.path, s.Location)}); err != nil {
		return answer{}, err
	}
	return empty(http.StatusOK), nil
}
