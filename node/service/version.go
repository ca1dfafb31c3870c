package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"loggia/api/manage"
	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func (s *Service) versionRef(v *state.View, g, i, number string) (gallery.VersionRef, error) {
	ref, err := s.imageRef(v, g, i)
	if err != nil {
		return gallery.VersionRef{}, err
	}
	n, err := gallery.ParseVersion(number)
	return gallery.VersionRef{ImageRef: ref, Version: n}, err
}

// Find returns a version of the view; number may be "latest" for a region.
func (s *Service) Find(v *state.View, g, i, number string, region gallery.RegionName) (*gallery.ImageVersion, error) {
	if number == "latest" {
		ref, err := s.imageRef(v, g, i)
		if err != nil {
			return nil, err
		}
		if v.Image(ref) == nil {
			return nil, notFound("resolve latest", g+"/"+i)
		}
		if row := v.Latest(region, ref); row != nil {
			return row, nil
		}
		return nil, gallery.NoLatest(ref, region)
	}
	ref, err := s.versionRef(v, g, i, number)
	if err != nil {
		return nil, err
	}
	if row := v.Version(ref); row != nil {
		return row, nil
	}
	return nil, notFound("get version", g+"/"+i+"/"+number)
}

// whole adds to a version what its disks are and how it stands.
func whole(v *state.View, row *gallery.ImageVersion) manage.Version {
	out := manage.Version{ImageVersion: *row, State: gallery.Aggregate(v.VersionStatus(row))}
	for _, d := range row.Disks {
		if disk := v.Disk(d.Disk); disk != nil {
			out.Disks = append(out.Disks, *disk)
		} else {
			out.Disks = append(out.Disks, gallery.Disk{ID: d.Disk})
		}
	}
	return out
}

// Versions implements manage.Service.
func (s *Service) Versions(_ context.Context, g, i string) ([]manage.Version, error) {
	v := s.o.State()
	ref, err := s.imageRef(v, g, i)
	if err != nil {
		return nil, err
	}
	if v.Image(ref) == nil {
		return nil, notFound("list versions", g+"/"+i)
	}
	var out []manage.Version
	for _, row := range v.Versions(ref) {
		out = append(out, whole(v, row))
	}
	return out, nil
}

// Version implements manage.Service.
func (s *Service) Version(ctx context.Context, g, i, number, region string) (manage.Version, error) {
	v := s.o.State()
	r := CallerOf(ctx).Region
	if region != "" {
		var err error
		if r, err = gallery.ParseRegionName(region); err != nil {
			return manage.Version{}, err
		}
		if v.Region(r) == nil {
			return manage.Version{}, notFound("resolve region", region)
		}
	}
	row, err := s.Find(v, g, i, number, r)
	if err != nil {
		return manage.Version{}, err
	}
	return whole(v, row), nil
}

// PutVersion implements manage.Service. Disks that are not given are kept; so are target regions.
func (s *Service) PutVersion(ctx context.Context, g, i string, in gallery.ImageVersion, c manage.Condition) (manage.Version, error) {
	v := s.o.State()
	ref, err := s.imageRef(v, g, i)
	if err != nil {
		return manage.Version{}, err
	}
	in.Ref.ImageRef, in.ResourceGroup = ref, group
	old := v.Version(in.Ref)
	if old != nil {
		in.Ref, in.ResourceGroup = old.Ref, old.ResourceGroup
		in.Operation, in.Sources, in.Wire, in.Imports = old.Operation, old.Sources, old.Wire, old.Imports
		if in.App == nil {
			in.App = old.App
		}
		if len(in.Publishing.TargetRegions) == 0 {
			in.Publishing.TargetRegions = old.Publishing.TargetRegions
		}
		if len(in.Disks) == 0 {
			in.Disks = old.Disks
		}
	}
	if err := s.mayUse(ctx, old, in.Disks); err != nil {
		return manage.Version{}, err
	}
	if in.Location, err = location(ctx, in.Location, old != nil, func() gallery.RegionName { return old.Location }); err != nil {
		return manage.Version{}, err
	}
	if len(in.Publishing.TargetRegions) == 0 {
		in.Publishing.TargetRegions = []gallery.TargetRegion{{Region: in.Location}}
	}
	return s.putVersion(ctx, in, precondition(c))
}

// mayUse checks the right to every disk that the version does not have already.
func (s *Service) mayUse(ctx context.Context, old *gallery.ImageVersion, disks []gallery.VersionDisk) error {
	for n, d := range disks {
		if old != nil && slices.ContainsFunc(old.Disks, func(o gallery.VersionDisk) bool { return o.Disk == d.Disk }) {
			continue
		}
		err := s.o.Disk(ctx, d.Disk)
		if errors.Is(err, gallery.ErrNotFound) {
			return &gallery.Error{Kind: gallery.ErrInvalid, Op: "put version", Field: fmt.Sprintf("disks[%d].disk", n), Message: fmt.Sprintf("no disk %s", d.Disk)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) putVersion(ctx context.Context, in gallery.ImageVersion, c command.Precondition) (manage.Version, error) {
	if err := normalise(in.Publishing.TargetRegions); err != nil {
		return manage.Version{}, err
	}
	row, err := put[gallery.ImageVersion](ctx, s, &command.VersionPut{Version: in, If: c})
	if err != nil {
		return manage.Version{}, err
	}
	return whole(s.o.State(), &row), nil
}

// normalise writes the regions' names as the state has them.
func normalise(targets []gallery.TargetRegion) error {
	for n := range targets {
		name, err := gallery.ParseRegionName(string(targets[n].Region))
		if err != nil {
			return err
		}
		targets[n].Region = name
	}
	return nil
}

// patchTries bounds how often a patch without If-Match is made anew because another write came between.
const patchTries = 8

// PatchVersion implements manage.Service.
func (s *Service) PatchVersion(ctx context.Context, g, i, number string, p v1.VersionPatch, c manage.Condition) (manage.Version, error) {
	for n := 1; ; n++ {
		v := s.o.State()
		ref, err := s.versionRef(v, g, i, number)
		if err != nil {
			return manage.Version{}, err
		}
		old := v.Version(ref)
		if old == nil {
			return manage.Version{}, notFound("update version", g+"/"+i+"/"+number)
		}
		cond := precondition(c)
		if cond.ETag == 0 {
			cond.ETag = old.ETag
		}
		out, err := s.putVersion(attempt(ctx, n), patched(*old, p), cond)
		if c.IfMatch == 0 && n < patchTries && errors.Is(err, gallery.ErrPrecondition) {
			continue
		}
		return out, err
	}
}

// attempt makes the n-th try of a request another request: the refusal of the one before is remembered under its id.
func attempt(ctx context.Context, n int) context.Context {
	c := CallerOf(ctx)
	if n == 1 || c.RequestID == "" {
		return ctx
	}
	c.RequestID += "/" + strconv.Itoa(n)
	return WithCaller(ctx, c)
}

func patched(v gallery.ImageVersion, p v1.VersionPatch) gallery.ImageVersion {
	if p.TargetRegions != nil {
		v.Publishing.TargetRegions = manage.Targets(*p.TargetRegions)
	}
	if p.ReplicaCount != nil {
		v.Publishing.ReplicaCount = *p.ReplicaCount
	}
	if p.Priority != nil {
		v.Publishing.Priority = gallery.Priority(*p.Priority)
	}
	if p.ExcludeFromLatest != nil {
		v.Publishing.ExcludeFromLatest = *p.ExcludeFromLatest
	}
	if p.EndOfLife != nil {
		v.Publishing.EndOfLife = *p.EndOfLife
	}
	if p.AllowDeletionOfReplicas != nil {
		v.Safety.AllowDeletionOfReplicatedLocations = *p.AllowDeletionOfReplicas
	}
	if p.BlockDeletionBeforeEOL != nil {
		v.Safety.BlockDeletionBeforeEndOfLife = *p.BlockDeletionBeforeEOL
	}
	if p.Tags != nil {
		v.Tags = *p.Tags
	}
	return v
}

// DeleteVersion implements manage.Service.
func (s *Service) DeleteVersion(ctx context.Context, g, i, number string, c manage.Condition) error {
	ref, err := s.versionRef(s.o.State(), g, i, number)
	if err != nil {
		return err
	}
	_, err = s.propose(ctx, &command.VersionDelete{Ref: ref, If: precondition(c)})
	return err
}
