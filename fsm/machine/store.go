package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func storePut(e *entry, c *command.StorePut) (*gallery.Store, error) {
	row := c.Store
	name := string(row.ID)
	if e.Region(row.Region) == nil {
		return nil, notFound("region", row.Region)
	}
	for _, s := range e.Stores(row.Region) {
		if s.Name == row.Name && s.ID != row.ID {
			return nil, fail(gallery.ErrConflict, name, "region %q has a store named %q already", row.Region, row.Name)
		}
	}
	row.Created, row.Checked = e.Now(), e.Now()
	if old := e.Store(row.ID); old != nil {
		if row.Region != old.Region || row.Zone != old.Zone || row.Class != old.Class || row.Kind != old.Kind {
			return nil, fail(gallery.ErrImmutable, name, "a store's region, zone, class and kind cannot be changed")
		}
		row.Created = old.Created
	}
	if row.State == "" {
		row.State = gallery.StoreOK
	}
	state.Put(e.Tx, &row)
	for _, r := range e.ReplicasOfRegion(row.Region) {
		if r.Store == "" {
			e.plan(r.Key.Disk)
		}
	}
	return &row, nil
}

func storeSetState(e *entry, c *command.StoreSetState) (*none, error) {
	old := e.Store(c.ID)
	if old == nil {
		return nil, notFound("store", c.ID)
	}
	row := *old
	row.State, row.Reason, row.Capacity, row.Checked = c.State, c.Reason, c.Capacity, e.Now()
	if len(c.Abilities) > 0 {
		row.Abilities = c.Abilities
	}
	state.Put(e.Tx, &row)
	return nil, nil
}

func storeRemove(e *entry, c *command.StoreRemove) (*command.RegionRemoved, error) {
	row := e.Store(c.ID)
	if row == nil {
		return nil, notFound("store", c.ID)
	}
	rows := e.ReplicasOfStore(c.ID)
	if !c.Lost {
		if len(rows) > 0 {
			return nil, fail(gallery.ErrInUse, row.Name, "it holds %s", some(rows, "replica", func(r *gallery.Replica) string { return r.Key.String() }))
		}
		for _, u := range e.Uploads() {
			if u.Store == c.ID && u.State == gallery.UploadOpen {
				return nil, fail(gallery.ErrInUse, row.Name, "upload %s is open there", u.ID)
			}
		}
	}
	out := &command.RegionRemoved{}
	disks := e.dropReplicas(rows, out)
	e.dropStore(row)
	e.replan(disks, out)
	return out, nil
}
