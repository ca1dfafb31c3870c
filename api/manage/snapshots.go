package manage

import (
	"net/http"

	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/gallery"
)

const snapshotPath = "/v1/groups/{group}/snapshots/{name}"

func (h *handler) snapshots() {
	h.read(snapshotPath, func(w http.ResponseWriter, r *http.Request) (any, error) {
		s, err := h.s.Snapshot(r.Context(), r.PathValue("group"), r.PathValue("name"))
		return tagged(w, s.ETag, toSnapshot(s)), err
	})
	h.write("PUT", snapshotPath, func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.Snapshot
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		c, err := condition(r)
		if err != nil {
			return nil, err
		}
		s, err := h.s.PutSnapshot(r.Context(), r.PathValue("group"), r.PathValue("name"), fromSnapshot(in), c)
		return tagged(w, s.ETag, toSnapshot(s)), err
	})
}

func toSnapshot(s Snapshot) v1.Snapshot {
	reason := ""
	if s.Import != nil {
		reason = string(s.Import.Reason)
	}
	return v1.Snapshot{ResourceGroup: string(s.Ref.Group), Name: string(s.Ref.Name), ID: s.ID, Location: string(s.Location), OSType: s.OSType,
		Generation: s.HyperVGeneration, Disk: string(s.Disk), Size: s.Size, State: string(s.State), Reason: reason, Tags: s.Tags, Created: s.Created, ETag: etag(s.ETag)}
}

func fromSnapshot(s v1.Snapshot) gallery.Snapshot {
	return gallery.Snapshot{Location: gallery.RegionName(s.Location), OSType: s.OSType, HyperVGeneration: s.Generation, Disk: gallery.DiskID(s.Disk), Tags: s.Tags}
}
