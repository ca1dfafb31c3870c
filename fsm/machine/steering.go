package machine

import (
	"slices"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func limitPut(e *entry, c *command.LimitPut) (*gallery.Limit, error) {
	row := c.Limit
	for _, r := range []gallery.RegionName{row.Key.From, row.Key.To} {
		if r != "" && e.Region(r) == nil {
			return nil, notFound("region", r)
		}
	}
	for _, n := range []gallery.NodeID{row.Key.FromNode, row.Key.ToNode} {
		if n != "" && e.Node(n) == nil {
			return nil, notFound("node", n)
		}
	}
	if e.Limit(row.Key) == nil && len(e.Limits()) >= gallery.MaxLimits {
		return nil, fail(gallery.ErrLimit, row.Key.String(), "a cluster has at most %d limits", gallery.MaxLimits)
	}
	row.Updated, row.By = e.Now(), e.Principal
	state.Put(e.Tx, &row)
	return &row, nil
}

func limitRemove(e *entry, c *command.LimitRemove) (*none, error) {
	row := e.Limit(c.Key)
	if row == nil {
		return nil, notFound("limit", c.Key)
	}
	state.Delete(e.Tx, row)
	return nil, nil
}

// dropLimits takes away the limits of a region or node that is no more.
func (e *entry) dropLimits(of func(gallery.LimitKey) bool) {
	for _, l := range e.Limits() {
		if of(l.Key) {
			state.Delete(e.Tx, l)
		}
	}
}

func transferPause(e *entry, c *command.TransferPause) (*command.Steered, error) {
	rows, err := e.steered(c.Version, c.Regions)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, (*gallery.Replica).Whole)
	if len(rows) == 0 {
		return nil, fail(gallery.ErrConflict, c.Version.String(), "there is nothing to pause: every copy is whole")
	}
	out := &command.Steered{}
	for _, r := range rows {
		if r.Paused != nil {
			continue
		}
		row := *r
		row.Paused = &gallery.Pause{Since: e.Now(), By: e.Principal}
		state.Put(e.Tx, &row)
		out.Replicas++
	}
	return out, nil
}

func transferResume(e *entry, c *command.TransferResume) (*command.Steered, error) {
	rows, err := e.steered(c.Version, c.Regions)
	if err != nil {
		return nil, err
	}
	out := &command.Steered{}
	for _, r := range rows {
		if r.Paused == nil {
			continue
		}
		row := *r
		row.Paused, row.NextRetry = nil, zeroTime
		state.Put(e.Tx, &row)
		out.Replicas++
	}
	return out, nil
}

// steered returns the replicas of a version's disks in some of its targets, in all for none.
func (e *entry) steered(ref gallery.VersionRef, regions []gallery.RegionName) ([]*gallery.Replica, error) {
	v := e.Version(ref)
	if v == nil {
		return nil, notFound("image version", ref)
	}
	for _, r := range regions {
		if _, ok := v.Publishing.Target(r); !ok {
			return nil, invalid(ref.String(), "regions", "%s is no target of the version", r)
		}
	}
	var out []*gallery.Replica
	for i, d := range v.Disks {
		if slices.ContainsFunc(v.Disks[:i], func(o gallery.VersionDisk) bool { return o.Disk == d.Disk }) {
			continue
		}
		for _, r := range e.ReplicasOfDisk(d.Disk) {
			if len(regions) == 0 || slices.Contains(regions, r.Key.Region) {
				out = append(out, r)
			}
		}
	}
	return out, nil
}
