package access

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"loggia/api/authz"
	"loggia/gallery"
)

// Rights answers what handlers cannot know from a route: rights on what a body names.
type Rights struct {
	*Access
	Names
}

// Upload says whether the caller may upload a disk for target: the canonical id of that, and whose it will be. named is
// what the caller called it.
func (r Rights) Upload(ctx context.Context, target, named string) (string, gallery.TenantID, error) {
	t, tenant, err := r.Wanted(target)
	if err != nil {
		return "", "", err
	}
	if target != "" {
		target = t.Scope
	}
	return target, tenant, authz.Check(ctx, r.Access, t, named)
}

// Allowed says whether the caller may do action at scope; named is what the caller called it.
func (r Rights) Allowed(ctx context.Context, action, scope, named string) error {
	return authz.Check(ctx, r.Access, authz.Target{Scope: scope, Action: action}, named)
}

// Read says whether the caller may read a version by its native names.
func (r Rights) Read(ctx context.Context, g, i, v string) error {
	return authz.Check(ctx, r.Access, authz.Target{Scope: r.Version(g, i, v), Action: actionReadVersion}, fmt.Sprintf("%s/%s/%s", g, i, v))
}

// All says whether the caller may read all content of a domain: versions, applications and snapshots of every subscription.
func (r Rights) All(ctx context.Context, d gallery.Domain) bool {
	subscriptions := r.Access.o.State().Subscriptions(gallery.TenantID(d))
	for _, s := range subscriptions {
		for _, action := range []string{actionReadVersion, actionReadApplication, actionReadContent} {
			if r.Check(ctx, action, "/subscriptions/"+string(s.ID)) != nil {
				return false
			}
		}
	}
	return len(subscriptions) > 0
}

const (
	actionReadVersion     = "Microsoft.Compute/galleries/images/versions/read"
	actionReadApplication = "Microsoft.Compute/galleries/applications/versions/read"
	actionReadSnapshot    = "Microsoft.Compute/snapshots/read"
	actionReadContent     = "Microsoft.Compute/snapshots/beginGetAccess/action"
)

// Disk says whether the caller may make something of a disk that a body names: it may read a version that has it, or
// may write what the disk was uploaded for. A refusal is an ErrNotFound, for a disk that does not exist, too (S2).
func (r Rights) Disk(ctx context.Context, id gallery.DiskID) error {
	v := r.Access.o.State()
	for _, row := range v.VersionsOfDisk(id) {
		ref := row.Ref
		action, segment := actionReadVersion, "/images/"
		if ref.Kind == gallery.ArtifactApplication {
			action, segment = actionReadApplication, "/applications/"
		}
		scope := GroupScope(ref.Subscription, string(row.ResourceGroup)) + "/providers/Microsoft.Compute/galleries/" + string(ref.Gallery) + segment + string(ref.Image) + "/versions/" + ref.Version.String()
		if err := r.Check(ctx, action, scope); !errors.Is(err, gallery.ErrForbidden) {
			return err
		}
	}
	for _, row := range v.SnapshotsOfDisk(id) {
		scope := GroupScope(row.Ref.Subscription, string(row.Ref.Group)) + "/providers/Microsoft.Compute/snapshots/" + string(row.Ref.Name)
		if err := r.Check(ctx, actionReadSnapshot, scope); !errors.Is(err, gallery.ErrForbidden) {
			return err
		}
	}
	if at := slices.IndexFunc(v.Uploads(), func(u *gallery.Upload) bool { return u.Disk == id }); at >= 0 {
		if _, _, err := r.Upload(ctx, v.Uploads()[at].Target, string(id)); !errors.Is(err, gallery.ErrForbidden) {
			return err
		}
	}
	return &gallery.Error{Kind: gallery.ErrNotFound, Op: "use disk", Resource: string(id), Message: "does not exist"}
}
