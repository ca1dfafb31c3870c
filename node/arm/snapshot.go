package arm

import (
	"context"
	"time"

	"github.com/google/uuid"

	"loggia/api/azure"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func snapshot(v *state.View, row *gallery.Snapshot) azure.Snapshot {
	out := azure.Snapshot{Snapshot: *row}
	if d := v.Disk(row.Disk); d != nil {
		out.Content = *d
	}
	return out
}

// Snapshots implements azure.Service.
func (s *Service) Snapshots(_ context.Context, sub gallery.SubscriptionID) ([]azure.Snapshot, error) {
	v := s.o.State()
	var out []azure.Snapshot
	for _, row := range v.SnapshotsOfSubscription(sub) {
		out = append(out, snapshot(v, row))
	}
	return out, nil
}

// Snapshot implements azure.Service.
func (s *Service) Snapshot(_ context.Context, ref gallery.SnapshotRef) (azure.Snapshot, error) {
	v := s.o.State()
	row := v.Snapshot(ref)
	if row == nil {
		return azure.Snapshot{}, missing(string(ref.Name))
	}
	return snapshot(v, row), nil
}

// PutSnapshot implements azure.Service.
func (s *Service) PutSnapshot(ctx context.Context, in gallery.Snapshot, w azure.Write) (azure.Snapshot, error) {
	var err error
	if in.Tenant, err = s.tenant(s.o.State(), in.Ref.Subscription); err != nil {
		return azure.Snapshot{}, err
	}
	row, err := put[gallery.Snapshot](ctx, s, w, &command.SnapshotPut{Snapshot: in, If: precondition(w)})
	if err != nil {
		return azure.Snapshot{}, err
	}
	return snapshot(s.o.State(), &row), nil
}

// DeleteSnapshot implements azure.Service.
func (s *Service) DeleteSnapshot(ctx context.Context, ref gallery.SnapshotRef, w azure.Write) error {
	_, err := s.propose(ctx, w, &command.SnapshotDelete{Ref: ref, If: precondition(w)})
	return err
}

// GrantAccess implements azure.Service.
func (s *Service) GrantAccess(ctx context.Context, ref gallery.SnapshotRef, life time.Duration, w azure.Write) (string, error) {
	id := gallery.AccessID(uuid.NewString())
	row, err := put[gallery.Snapshot](ctx, s, w, &command.SnapshotGrant{Ref: ref, Access: id, Life: life})
	if err != nil {
		return "", err
	}
	for _, a := range row.Access {
		if a.ID == id {
			return s.o.Link(row.Ref, a), nil
		}
	}
	return "", missing("access " + string(id))
}

// RevokeAccess implements azure.Service: all links end.
func (s *Service) RevokeAccess(ctx context.Context, ref gallery.SnapshotRef, w azure.Write) error {
	_, err := s.propose(ctx, w, &command.SnapshotRevoke{Ref: ref})
	return err
}
