package manage

import (
	"net/http"

	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/gallery"
)

const versionsPath = "/v1/galleries/{g}/images/{i}/versions"

func (h *handler) versions() {
	h.read(versionsPath, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Versions(r.Context(), r.PathValue("g"), r.PathValue("i"))
		return list(each(all, toVersion)), err
	})
	h.read(versionsPath+"/{v}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		v, err := h.s.Version(r.Context(), r.PathValue("g"), r.PathValue("i"), r.PathValue("v"), r.URL.Query().Get("region"))
		return tagged(w, v.ETag, toVersion(v)), err
	})
	h.write("PUT", versionsPath+"/{v}", h.putVersion)
	h.write("PATCH", versionsPath+"/{v}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var p v1.VersionPatch
		if err := respond.Decode(w, r, &p); err != nil {
			return nil, err
		}
		c, err := condition(r)
		if err != nil {
			return nil, err
		}
		v, err := h.s.PatchVersion(r.Context(), r.PathValue("g"), r.PathValue("i"), r.PathValue("v"), p, c)
		return tagged(w, v.ETag, toVersion(v)), err
	})
	h.write("DELETE", versionsPath+"/{v}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		c, err := condition(r)
		if err != nil {
			return nil, err
		}
		return nil, h.s.DeleteVersion(r.Context(), r.PathValue("g"), r.PathValue("i"), r.PathValue("v"), c)
	})
	h.write("POST", versionsPath+"/{v}/pause", h.steer(h.s.Pause))
	h.write("POST", versionsPath+"/{v}/resume", h.steer(h.s.Resume))
}

func (h *handler) putVersion(w http.ResponseWriter, r *http.Request) (any, error) {
	var in v1.Version
	if err := respond.Decode(w, r, &in); err != nil {
		return nil, err
	}
	c, err := condition(r)
	if err != nil {
		return nil, err
	}
	number, err := gallery.ParseVersion(r.PathValue("v"))
	if err != nil {
		return nil, err
	}
	v, err := h.s.PutVersion(r.Context(), r.PathValue("g"), r.PathValue("i"), fromVersion(number, in), c)
	return tagged(w, v.ETag, toVersion(v)), err
}

func toVersion(v Version) v1.Version {
	p := v.Publishing
	out := v1.Version{Gallery: string(v.Ref.Gallery), Image: artifactName(v.Ref.ImageRef), Name: v.Ref.Version.String(),
		Location: string(v.Location), ReplicaCount: p.ReplicaCount, StorageClass: string(p.StorageClass), Priority: string(p.Priority),
		ExcludeFromLatest:       p.ExcludeFromLatest,
		AllowDeletionOfReplicas: v.Safety.AllowDeletionOfReplicatedLocations,
		BlockDeletionBeforeEOL:  v.Safety.BlockDeletionBeforeEndOfLife,
		Tags:                    v.Tags, State: string(v.State), Published: v.Created, Updated: v.Updated, ETag: etag(v.ETag)}
	if !p.EndOfLife.IsZero() {
		out.EndOfLife = &p.EndOfLife
	}
	if a := v.App; a != nil {
		out.App = &v1.App{Install: a.Install, Remove: a.Remove, Update: a.Update, PackageFile: a.PackageFile, ConfigFile: a.ConfigFile}
	}
	for n, d := range v.ImageVersion.Disks {
		disk := v1.Disk{LUN: d.LUN, Disk: string(d.Disk), Size: d.SizeBytes}
		if n < len(v.Disks) {
			c := v.Disks[n]
			disk.Data, disk.Root = c.Data, c.Root.String()
			if !c.FlatSHA256.IsZero() {
				disk.SHA256 = c.FlatSHA256.String()
			}
		}
		out.Disks = append(out.Disks, disk)
	}
	for _, t := range p.TargetRegions {
		out.TargetRegions = append(out.TargetRegions, v1.TargetRegion{Name: string(t.Region), ReplicaCount: t.ReplicaCount,
			StorageClass: string(t.StorageClass), ExcludeFromLatest: t.ExcludeFromLatest, Priority: string(t.Priority)})
	}
	return out
}

func fromVersion(number gallery.Version, v v1.Version) gallery.ImageVersion {
	out := gallery.ImageVersion{
		Ref:      gallery.VersionRef{Version: number},
		Location: gallery.RegionName(v.Location),
		Publishing: gallery.PublishingProfile{TargetRegions: Targets(v.TargetRegions), ReplicaCount: v.ReplicaCount,
			StorageClass: gallery.StorageClass(v.StorageClass), ExcludeFromLatest: v.ExcludeFromLatest, Priority: gallery.Priority(v.Priority)},
		Safety: gallery.SafetyProfile{AllowDeletionOfReplicatedLocations: v.AllowDeletionOfReplicas,
			BlockDeletionBeforeEndOfLife: v.BlockDeletionBeforeEOL},
		Tags: v.Tags,
	}
	if v.EndOfLife != nil {
		out.Publishing.EndOfLife = *v.EndOfLife
	}
	if a := v.App; a != nil {
		out.App = &gallery.AppVersion{Install: a.Install, Remove: a.Remove, Update: a.Update, PackageFile: a.PackageFile, ConfigFile: a.ConfigFile}
	}
	for _, d := range v.Disks {
		out.Disks = append(out.Disks, gallery.VersionDisk{LUN: d.LUN, Disk: gallery.DiskID(d.Disk)})
	}
	return out
}

// artifactName is the name of an image, or of an application with @ before it.
func artifactName(r gallery.ImageRef) string {
	if r.Kind == gallery.ArtifactApplication {
		return "@" + string(r.Image)
	}
	return string(r.Image)
}

// Targets converts target regions as they were written.
func Targets(in []v1.TargetRegion) []gallery.TargetRegion {
	var out []gallery.TargetRegion
	for _, t := range in {
		out = append(out, gallery.TargetRegion{Region: gallery.RegionName(t.Name), ReplicaCount: t.ReplicaCount,
			StorageClass: gallery.StorageClass(t.StorageClass), ExcludeFromLatest: t.ExcludeFromLatest, Priority: gallery.Priority(t.Priority)})
	}
	return out
}
