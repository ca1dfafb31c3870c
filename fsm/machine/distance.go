package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func distancePut(e *entry, c *command.DistancePut) (*gallery.Distance, error) {
	row := c.Distance
	for _, r := range []gallery.RegionName{row.Pair.A, row.Pair.B} {
		if e.Region(r) == nil {
			return nil, notFound("region", r)
		}
	}
	if e.Distance(row.Pair) == nil && len(e.Distances()) >= gallery.MaxDistances {
		return nil, fail(gallery.ErrLimit, row.Pair.String(), "a cluster has at most %d distances", gallery.MaxDistances)
	}
	row.Updated, row.By = e.Now(), e.Principal
	state.Put(e.Tx, &row)
	return &row, nil
}

func distanceRemove(e *entry, c *command.DistanceRemove) (*none, error) {
	row := e.Distance(c.Pair)
	if row == nil {
		return nil, notFound("distance", c.Pair)
	}
	state.Delete(e.Tx, row)
	return nil, nil
}

// dropDistances takes away what was said of a region that is no more.
func (e *entry) dropDistances(r gallery.RegionName) {
	for _, d := range e.Distances() {
		if d.Pair.A == r || d.Pair.B == r {
			state.Delete(e.Tx, d)
		}
	}
}
