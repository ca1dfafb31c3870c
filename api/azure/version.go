package azure

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/gallery"
)

func (r *request) versionRef(a artifact) (gallery.VersionRef, error) {
	n, err := gallery.ParseVersion(r.vars["version"])
	return gallery.VersionRef{ImageRef: r.imageRef(a), Version: n}, err
}

// inImage checks that group, gallery and definition of the path are there.
func (h *handler) inImage(a artifact) func(*request) error {
	return func(r *request) error {
		if err := h.inGallery(r); err != nil {
			return err
		}
		_, err := h.images(a).load(r)
		return r.parentFault(err, "Microsoft.Compute/"+a.typ, r.vars["gallery"]+"/"+r.vars["image"])
	}
}

// versions is the kind of image versions, or of application versions.
func (h *handler) versions(a artifact) kind {
	return kind{schema: a.version, created: http.StatusCreated, parent: h.inImage(a),
		load: func(r *request) (shown, error) {
			v, err := h.loadVersion(r, a)
			if err != nil {
				return shown{}, err
			}
			return h.showVersion(r, v), nil
		},
		store: func(r *request, tree schema.Tree, before *shown, w Write) (shown, error) {
			return h.storeVersion(r, a, tree, before, w)
		},
		remove: func(r *request, w Write) error {
			ref, err := r.versionRef(a)
			if err != nil {
				return err
			}
			return h.o.Service.DeleteVersion(r.Context(), ref, w)
		}}
}

// loadVersion returns the version of the path. A name that is no version names none that is there.
func (h *handler) loadVersion(r *request, a artifact) (Version, error) {
	ref, err := r.versionRef(a)
	if err != nil {
		return Version{}, &gallery.Error{Kind: gallery.ErrNotFound, Resource: r.path}
	}
	v, err := h.o.Service.Version(r.Context(), ref)
	if err == nil {
		err = r.sameGroup(v.ResourceGroup)
	}
	return v, err
}

func (h *handler) storeVersion(r *request, a artifact, tree schema.Tree, before *shown, w Write) (shown, error) {
	ref, err := r.versionRef(a)
	if err != nil {
		return shown{}, invalidName(err)
	}
	v := gallery.ImageVersion{Ref: ref, ResourceGroup: r.vars["group"], Location: gallery.NormalizeRegion(text(tree, "location")), Tags: tags(tree), Wire: keep(tree)}
	if v.Publishing, err = r.publishing(tree, v.Location); err != nil {
		return shown{}, err
	}
	v.Safety = gallery.SafetyProfile{AllowDeletionOfReplicatedLocations: flag(tree, "properties.safetyProfile.allowDeletionOfReplicatedLocations"),
		BlockDeletionBeforeEndOfLife: flag(tree, "properties.safetyProfile.blockDeletionBeforeEndOfLife")}
	if a.kind == gallery.ArtifactApplication {
		v.App = appVersionOf(tree)
	}
	if before == nil {
		if err := h.sources(r, a, tree, &v); err != nil {
			return shown{}, err
		}
	}
	out, err := h.o.Service.PutVersion(r.Context(), v, w)
	if err != nil {
		return shown{}, err
	}
	return h.showVersion(r, out), nil
}

const targetsPath = "properties.publishingProfile.targetRegions"

// publishing reads the publishing profile. Regions that are not ours are told together with those that are.
func (r *request) publishing(tree schema.Tree, home gallery.RegionName) (gallery.PublishingProfile, error) {
	p := members(tree, "properties.publishingProfile")
	out := gallery.PublishingProfile{ReplicaCount: int(integer(p, "replicaCount")), StorageClass: gallery.StorageClass(text(p, "storageAccountType")),
		ReplicationMode: text(p, "replicationMode"), ExcludeFromLatest: flag(p, "excludeFromLatest"), EndOfLife: date(p, "endOfLifeDate")}
	for i, t := range objects(p, "targetRegions") {
		name, err := r.location(text(t, "name"))
		if err != nil {
			return out, fault.At(fault.LocationNotAvailable, fmt.Sprintf("%s[%d].name", targetsPath, i), "%s", err.(*fault.Fault).Message)
		}
		if slices.ContainsFunc(out.TargetRegions, func(t gallery.TargetRegion) bool { return t.Region == name }) {
			return out, fault.At(fault.InvalidParameter, targetsPath, "The region '%s' is named twice.", name)
		}
		out.TargetRegions = append(out.TargetRegions, gallery.TargetRegion{Region: name, ReplicaCount: int(integer(t, "regionalReplicaCount")),
			StorageClass: gallery.StorageClass(text(t, "storageAccountType")), ExcludeFromLatest: flagIf(t, "excludeFromLatest")})
	}
	if len(out.TargetRegions) == 0 {
		out.TargetRegions = []gallery.TargetRegion{{Region: home}}
	}
	if !slices.ContainsFunc(out.TargetRegions, func(t gallery.TargetRegion) bool { return t.Region == home }) {
		return out, fault.At(fault.InvalidParameter, targetsPath, "The target regions must contain the version's own location '%s'.", home)
	}
	return out, nil
}

func appVersionOf(tree schema.Tree) *gallery.AppVersion {
	p := members(tree, "properties.publishingProfile")
	return &gallery.AppVersion{Install: text(p, "manageActions.install"), Remove: text(p, "manageActions.remove"), Update: text(p, "manageActions.update"),
		PackageFile: text(p, "settings.packageFileName"), ConfigFile: text(p, "settings.configFileName"), AfterReboot: text(p, "settings.scriptBehaviorAfterReboot"),
		EnableHealthCheck: flag(p, "enableHealthCheck")}
}

// showVersion is a version as the wire shows it, without its replication status.
func (h *handler) showVersion(_ *request, v Version) shown {
	t := envelope{id: idOfVersion(v.Ref, v.ResourceGroup), name: v.Ref.Version.String(), kind: "Microsoft.Compute/galleries/" + artifacts(v.Ref.Kind) + "/versions",
		location: v.Location, tags: v.Tags, created: v.Created, updated: v.Updated, createdBy: v.CreatedBy, updatedBy: v.UpdatedBy}.on(kept(v.Wire))
	p := made(t, "properties")
	p["provisioningState"] = string(v.Provisioning)
	showPublishing(made(p, "publishingProfile"), v)
	always(p, "safetyProfile.allowDeletionOfReplicatedLocations", v.Safety.AllowDeletionOfReplicatedLocations)
	if v.Ref.Kind == gallery.ArtifactApplication {
		return shown{tree: t, etag: v.ETag, location: v.Location, operation: v.Operation}
	}
	always(p, "safetyProfile.blockDeletionBeforeEndOfLife", v.Safety.BlockDeletionBeforeEndOfLife)
	always(p, "safetyProfile.reportedForPolicyViolation", false)
	showStorage(made(p, "storageProfile"), v)
	return shown{tree: t, etag: v.ETag, location: v.Location, operation: v.Operation}
}

func showPublishing(p schema.Tree, v Version) {
	wire := map[gallery.RegionName]schema.Tree{}
	for _, t := range objects(p, "targetRegions") {
		wire[gallery.NormalizeRegion(text(t, "name"))] = t
	}
	var targets []any
	given := map[gallery.RegionName]gallery.TargetRegion{}
	for _, t := range v.Publishing.TargetRegions {
		given[t.Region] = t
	}
	for _, t := range v.Publishing.Targets() {
		o := wire[t.Region]
		if o == nil {
			o = schema.Tree{}
		}
		o["name"], o["regionalReplicaCount"], o["storageAccountType"] = string(t.Region), int64(t.ReplicaCount), string(t.StorageClass)
		if e := given[t.Region].ExcludeFromLatest; e != nil {
			o["excludeFromLatest"] = *e
		} else {
			delete(o, "excludeFromLatest")
		}
		targets = append(targets, map[string]any(o))
	}
	p["targetRegions"] = targets
	p["replicaCount"] = int64(max(v.Publishing.ReplicaCount, 1))
	p["excludeFromLatest"] = v.Publishing.ExcludeFromLatest
	p["storageAccountType"] = string(orDefault(v.Publishing.StorageClass, gallery.StandardLRS))
	p["replicationMode"] = orDefault(v.Publishing.ReplicationMode, gallery.ReplicationFull)
	setDate(p, "endOfLifeDate", v.Publishing.EndOfLife)
	setDate(p, "publishedDate", v.Created)
}

func orDefault[T ~string](v, otherwise T) T {
	if v == "" {
		return otherwise
	}
	return v
}

// showStorage writes the disks' sizes and caching over the sources, which are echoed as they were written.
func showStorage(s schema.Tree, v Version) {
	wire := map[int]schema.Tree{}
	for _, d := range objects(s, "dataDiskImages") {
		wire[int(integer(d, "lun"))] = d
	}
	delete(s, "dataDiskImages")
	var data []any
	for i, d := range v.Disks {
		size := d.SizeBytes
		if i < len(v.Contents) && v.Contents[i].Size > 0 {
			size = v.Contents[i].Size
		}
		gib := (size + 1<<30 - 1) >> 30
		if d.LUN == gallery.LUNOS {
			o := made(s, "osDiskImage")
			showDisk(o, d, gib)
			continue
		}
		o := wire[d.LUN]
		if o == nil {
			o = schema.Tree{}
		}
		o["lun"] = int64(d.LUN)
		showDisk(o, d, gib)
		data = append(data, map[string]any(o))
	}
	if len(v.Disks) == 0 { // still being imported: what was written is all there is
		for _, o := range wire {
			data = append(data, map[string]any(o))
		}
		slices.SortFunc(data, func(a, b any) int {
			return int(integer(a.(map[string]any), "lun") - integer(b.(map[string]any), "lun"))
		})
	}
	if len(data) > 0 {
		s["dataDiskImages"] = data
	}
	if s["source"] == nil {
		s["source"] = map[string]any{}
	}
}

func showDisk(o schema.Tree, d gallery.VersionDisk, gib int64) {
	o["sizeInGB"] = gib
	set(o, "hostCaching", d.HostCaching)
	if o["source"] == nil {
		o["source"] = map[string]any{}
	}
}

// getVersion is GET with $expand.
func (h *handler) getVersion(a artifact) func(*request) (answer, error) {
	return func(r *request) (answer, error) {
		if err := h.inGroup(r); err != nil {
			return answer{}, err
		}
		v, err := h.loadVersion(r, a)
		if err != nil {
			return answer{}, err
		}
		s := h.showVersion(r, v)
		status := false
		for expand := range strings.SplitSeq(r.URL.Query().Get("$expand"), ",") {
			switch e := strings.TrimSpace(expand); strings.ToLower(e) {
			case "", "uefisettings", "validationprofile":
			case "replicationstatus":
				status = true
			default:
				return answer{}, fault.At(fault.InvalidParameter, "$expand", "$expand=%s is not supported; ReplicationStatus, UefiSettings and ValidationProfile are.", e)
			}
		}
		out := schema.Render(a.version, r.version, s.tree)
		if status {
			always(out, "properties.replicationStatus", replicationStatus(v, h.o.Service.Notes(r.Context(), v), h.o.Now()))
		}
		return ok(out).tagged(s.etag), nil
	}
}

func (h *handler) listVersions(a artifact) func(*request) (answer, error) {
	return func(r *request) (answer, error) {
		if err := h.inImage(a)(r); err != nil {
			return answer{}, err
		}
		all, whole, err := h.o.Service.Versions(r.Context(), r.imageRef(a))
		if err != nil {
			return answer{}, err
		}
		return paged(r, all, func(v *gallery.ImageVersion) string {
			n := v.Ref.Version
			return fmt.Sprintf("%010d.%010d.%010d", n.Major, n.Minor, n.Patch)
		}, func(v *gallery.ImageVersion) (any, error) {
			return schema.Render(a.version, r.version, h.showVersion(r, whole(v)).tree), nil
		})
	}
}
