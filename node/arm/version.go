package arm

import (
	"context"
	"slices"

	"loggia/api/azure"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// whole adds to a version what its disks are and how it stands.
func whole(v *state.View, row *gallery.ImageVersion) azure.Version {
	out := azure.Version{ImageVersion: *row, Regions: v.VersionStatus(row)}
	for _, d := range row.Disks {
		disk, _ := found(v.Disk(d.Disk), string(d.Disk))
		out.Contents = append(out.Contents, disk)
	}
	out.Provisioning = row.Provisioning(out.Regions, v.Operation(row.Operation))
	return out
}

// Notes implements azure.Service.
func (s *Service) Notes(ctx context.Context, v azure.Version) map[gallery.ReplicaKey]string {
	return s.o.Notes(ctx, &v.ImageVersion)
}

// Versions implements azure.Service.
func (s *Service) Versions(_ context.Context, ref gallery.ImageRef) ([]*gallery.ImageVersion, func(*gallery.ImageVersion) azure.Version, error) {
	v := s.o.State()
	return v.Versions(ref), func(row *gallery.ImageVersion) azure.Version { return whole(v, row) }, nil
}

// Version implements azure.Service.
func (s *Service) Version(_ context.Context, ref gallery.VersionRef) (azure.Version, error) {
	v := s.o.State()
	row := v.Version(ref)
	if row == nil {
		return azure.Version{}, missing(ref.String())
	}
	return whole(v, row), nil
}

// PutVersion implements azure.Service.
func (s *Service) PutVersion(ctx context.Context, in gallery.ImageVersion, w azure.Write) (azure.Version, error) {
	row, err := put[gallery.ImageVersion](ctx, s, w, &command.VersionPut{Version: in, If: precondition(w)})
	if err != nil {
		return azure.Version{}, err
	}
	return whole(s.o.State(), &row), nil
}

// DeleteVersion implements azure.Service.
func (s *Service) DeleteVersion(ctx context.Context, ref gallery.VersionRef, w azure.Write) error {
	_, err := s.propose(ctx, w, &command.VersionDelete{Ref: ref, If: precondition(w)})
	return err
}

// Operation implements azure.Service.
func (s *Service) Operation(_ context.Context, sub gallery.SubscriptionID, id gallery.OperationID) (azure.Operation, error) {
	v := s.o.State()
	row := v.Operation(id)
	if row == nil || row.Subscription != sub {
		return azure.Operation{}, missing(string(id))
	}
	out := azure.Operation{Operation: *row}
	if row.Status != gallery.OperationInProgress || row.Version == nil {
		return out, nil
	}
	version := v.Version(*row.Version)
	if version == nil {
		return out, nil
	}
	out.Regions = v.VersionStatus(version)
	out.Note = waiting(version, out.Regions)
	return out, nil
}

// waiting says what an operation waits for.
func waiting(v *gallery.ImageVersion, regions []gallery.RegionStatus) string {
	if len(v.Imports) > 0 {
		return "bytes are being fetched from their source"
	}
	text := ""
	for _, r := range regions {
		if r.State != gallery.ReplicaCompleted {
			if text != "" {
				text += ", "
			}
			text += string(r.Region)
			if slices.ContainsFunc(r.Replicas, func(x gallery.Replica) bool { return x.Paused != nil }) {
				text += " (paused)"
			}
		}
	}
	if text == "" {
		return ""
	}
	return "waiting for " + text
}
