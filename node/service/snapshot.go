package service

import (
	"context"

	"github.com/google/uuid"

	"loggia/api/manage"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func (s *Service) snapshotRef(v *state.View, group, name string) (gallery.SnapshotRef, *gallery.Cluster, error) {
	c, err := s.defaults(v)
	if err != nil {
		return gallery.SnapshotRef{}, nil, err
	}
	g, err := gallery.ParseGroupName(group)
	if err != nil {
		return gallery.SnapshotRef{}, nil, err
	}
	n, err := gallery.ParseSnapshotName(name)
	return gallery.SnapshotRef{GroupRef: gallery.GroupRef{Subscription: c.Subscription, Group: g}, Name: n}, c, err
}

func snapshot(row *gallery.Snapshot) manage.Snapshot {
	return manage.Snapshot{Snapshot: *row, ID: "/subscriptions/" + string(row.Ref.Subscription) + "/resourceGroups/" + string(row.Ref.Group) +
		"/providers/Microsoft.Compute/snapshots/" + string(row.Ref.Name)}
}

// Snapshot implements manage.Service.
func (s *Service) Snapshot(_ context.Context, group, name string) (manage.Snapshot, error) {
	v := s.o.State()
	ref, _, err := s.snapshotRef(v, group, name)
	if err != nil {
		return manage.Snapshot{}, err
	}
	row := v.Snapshot(ref)
	if row == nil {
		return manage.Snapshot{}, notFound("get snapshot", group+"/"+name)
	}
	return snapshot(row), nil
}

// PutSnapshot implements manage.Service: a snapshot of a disk that an upload made. A location that is not given is that of the disk.
func (s *Service) PutSnapshot(ctx context.Context, group, name string, in gallery.Snapshot, c manage.Condition) (manage.Snapshot, error) {
	v := s.o.State()
	ref, cluster, err := s.snapshotRef(v, group, name)
	if err != nil {
		return manage.Snapshot{}, err
	}
	in.Ref, in.Tenant, in.UniqueID = ref, cluster.Tenant, uuid.NewString()
	old := v.Snapshot(ref)
	if old != nil {
		in.Ref, in.UniqueID, in.Wire, in.SKU, in.Incremental = old.Ref, old.UniqueID, old.Wire, old.SKU, old.Incremental
		in.Architecture, in.Import, in.Operation = old.Architecture, old.Import, old.Operation
	}
	if in.Location, err = s.snapshotPlace(ctx, v, in, old); err != nil {
		return manage.Snapshot{}, err
	}
	if in.Disk != "" && (old == nil || old.Disk != in.Disk) {
		if err := s.o.Disk(ctx, in.Disk); err != nil {
			return manage.Snapshot{}, &gallery.Error{Kind: gallery.ErrInvalid, Op: "put snapshot", Field: "disk", Message: "no disk " + string(in.Disk)}
		}
	}
	row, err := put[gallery.Snapshot](ctx, s, &command.SnapshotPut{Snapshot: in, If: precondition(c)})
	if err != nil {
		return manage.Snapshot{}, err
	}
	return snapshot(&row), nil
}

func (s *Service) snapshotPlace(ctx context.Context, v *state.View, in gallery.Snapshot, old *gallery.Snapshot) (gallery.RegionName, error) {
	if d := v.Disk(in.Disk); d != nil && in.Location == "" && old == nil {
		return d.Origin, nil
	}
	return location(ctx, in.Location, old != nil, func() gallery.RegionName { return old.Location })
}
