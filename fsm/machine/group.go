package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func groupPut(e *entry, c *command.GroupPut) (*gallery.ResourceGroup, error) {
	row := c.Group
	name := row.Ref.String()
	old := e.Group(row.Ref)
	var etag uint64
	if old != nil {
		etag = old.ETag
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	if e.Subscription(row.Ref.Subscription) == nil {
		return nil, notFound("subscription", row.Ref.Subscription)
	}
	row.Deleting, row.Operation = false, ""
	if old != nil {
		if old.Deleting {
			return nil, deleting(old)
		}
		if err := row.CheckUpdate(old); err != nil {
			return nil, named(err, name)
		}
		row.Ref, row.Created, row.CreatedBy = old.Ref, old.Created, old.CreatedBy
	} else {
		if err := e.newGroup(&row); err != nil {
			return nil, err
		}
		row.Created, row.CreatedBy = e.Now(), e.Principal
	}
	row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
	state.Put(e.Tx, &row)
	return &row, nil
}

func (e *entry) newGroup(row *gallery.ResourceGroup) error {
	name := row.Ref.String()
	if e.Region(row.Location) == nil {
		return invalid(name, "location", "no region %q in this cluster", row.Location)
	}
	if len(e.Groups(row.Ref.Subscription)) >= gallery.MaxResourceGroups {
		return fail(gallery.ErrQuota, name, "a subscription holds at most %d resource groups", gallery.MaxResourceGroups)
	}
	return nil
}

func deleting(g *gallery.ResourceGroup) error {
	return fail(gallery.ErrDeleting, g.Ref.String(), "the resource group is being deleted")
}

// needGroup checks that something may be put into a resource group. The default one is made on first need.
func (e *entry) needGroup(ref gallery.GroupRef, at gallery.RegionName, resource string) (*gallery.ResourceGroup, error) {
	if g := e.Group(ref); g != nil && g.Deleting {
		return nil, deleting(g)
	} else if g != nil {
		return g, nil
	}
	if !ref.IsDefault() {
		return nil, &gallery.Error{Kind: gallery.ErrNoGroup, Resource: resource, Field: "resourceGroup", Message: "no resource group " + ref.String()}
	}
	e.makeGroup(ref, at)
	return e.Group(ref), nil
}

// checkGroup refuses to write what lies in a resource group that is being deleted.
func (e *entry) checkGroup(ref gallery.GroupRef) error {
	if g := e.Group(ref); g != nil && g.Deleting {
		return deleting(g)
	}
	return nil
}

func (e *entry) groupEmpty(ref gallery.GroupRef) bool {
	return len(e.GalleriesOfGroup(ref)) == 0 && len(e.Snapshots(ref)) == 0
}

func groupDelete(e *entry, c *command.GroupDelete) (*command.GroupDeleted, error) {
	old := e.Group(c.Ref)
	if old == nil {
		return nil, fail(gallery.ErrNoGroup, c.Ref.String(), "no such resource group")
	}
	if err := check(c.If, c.Ref.String(), old.ETag); err != nil {
		return nil, err
	}
	if err := e.guarded(c.Ref); err != nil {
		return nil, err
	}
	row := *old
	row.Deleting = true
	if id := e.waitForGroup(old.Ref); id != "" {
		row.Operation = id
	}
	state.Put(e.Tx, &row)
	return e.sweep(&row), nil
}

func groupSweep(e *entry, c *command.GroupSweep) (*command.GroupDeleted, error) {
	row := e.Group(c.Ref)
	if row == nil {
		return &command.GroupDeleted{}, nil
	}
	if !row.Deleting {
		return nil, fail(gallery.ErrConflict, c.Ref.String(), "the resource group is not being deleted")
	}
	return e.sweep(row), nil
}

// guarded refuses a deletion that would take a version which is guarded until its end of life.
func (e *entry) guarded(ref gallery.GroupRef) error {
	for _, g := range e.GalleriesOfGroup(ref) {
		for _, i := range e.Artifacts(g.Ref) {
			for _, v := range e.Versions(i.Ref) {
				if err := e.mayDelete(v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sweep takes what one command may out of a resource group and, once it is empty, the group itself.
func (e *entry) sweep(g *gallery.ResourceGroup) *command.GroupDeleted {
	out := &command.GroupDeleted{}
	if !e.sweepGalleries(g.Ref, out) || !e.sweepSnapshots(g.Ref, out) {
		out.More = true
		return out
	}
	e.dropGrants(g.Ref.Scope())
	state.Delete(e.Tx, g)
	e.endGroup(g.Ref)
	return out
}

// spent counts one row that goes; false says that the command has no room for it.
func spent(out *command.GroupDeleted) bool {
	if out.Count == command.MaxGroupSweep {
		return false
	}
	out.Count++
	return true
}

func (e *entry) sweepGalleries(ref gallery.GroupRef, out *command.GroupDeleted) bool {
	for _, g := range e.GalleriesOfGroup(ref) {
		for _, i := range e.Artifacts(g.Ref) {
			for _, v := range e.Versions(i.Ref) {
				if !spent(out) {
					return false
				}
				e.removeVersion(v)
			}
			if !spent(out) {
				return false
			}
			e.dropGrants(i.Scope())
			state.Delete(e.Tx, i)
		}
		if !spent(out) {
			return false
		}
		e.dropGrants(g.Scope())
		state.Delete(e.Tx, g)
	}
	return true
}

func (e *entry) sweepSnapshots(ref gallery.GroupRef, out *command.GroupDeleted) bool {
	for _, s := range e.Snapshots(ref) {
		if !spent(out) {
			return false
		}
		e.removeSnapshot(s)
	}
	return true
}
