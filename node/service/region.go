package service

import (
	"time"

	"loggia/api/v1"
	"loggia/fsm/state"
	"loggia/gallery"
)

// eachRepository calls fn for everything that lies in a region's stores.
func eachRepository(v *state.View, name gallery.RegionName, fn func(s *gallery.Store, r *gallery.Repository)) {
	for _, s := range v.Stores(name) {
		for _, k := range v.RepositoryKeys(s.ID) {
			fn(s, v.Repository(k))
		}
	}
}

// worker names who is at a repository.
func worker(s *gallery.Store, r *gallery.Repository) string {
	return string(r.Claim.Node) + " in " + s.Name
}

// regionCollection sums up the newest runs of the collector; nil where there is nothing to tell.
func regionCollection(v *state.View, name gallery.RegionName) *v1.RegionCollection {
	var out v1.RegionCollection
	told := false
	eachRepository(v, name, func(s *gallery.Store, r *gallery.Repository) {
		if r.Claim != nil && !r.Checking {
			told = true
			out.Running = append(out.Running, worker(s, r))
		}
		l := r.Last
		if l == nil {
			return
		}
		told = true
		out.Ended = later(out.Ended, l.Ended)
		switch l.State {
		case gallery.CollectionDone:
			out.Freed += l.GarbageBytes
		case gallery.CollectionWaiting:
			out.Waiting += l.GarbageBytes
		case gallery.CollectionStopped:
			out.Stopped = append(out.Stopped, s.Name+": "+string(l.Reason))
		}
	})
	if !told {
		return nil
	}
	return &out
}

// regionCheck sums up the newest turns of the region's own checks; nil where there is nothing to tell.
func regionCheck(v *state.View, name gallery.RegionName) *v1.RegionCheck {
	var sum gallery.CheckCounts
	out := v1.RegionCheck{Percent: 100}
	told, never := false, false
	eachRepository(v, name, func(s *gallery.Store, r *gallery.Repository) {
		if r.Claim != nil && r.Checking {
			told = true
			out.Running = append(out.Running, worker(s, r))
		}
		c := r.Checked
		if c == nil {
			never = true
			return
		}
		if first := out.Ended.IsZero(); first || c.Finished < out.Rounds {
			out.Rounds = c.Finished
		}
		told = true
		out.Ended, out.LastBad = later(out.Ended, c.Ended), later(out.LastBad, c.LastBad)
		if out.Whole.IsZero() || c.Whole.Before(out.Whole) {
			out.Whole = c.Whole
		}
		never = never || c.Whole.IsZero()
		out.Percent = min(out.Percent, 100*float64(c.Cursor)/(1<<32))
		out.Packs, out.ReadBytes = out.Packs+c.Packs, out.ReadBytes+c.ReadBytes
		out.Repaired, out.Repairs = out.Repaired+c.Repaired, out.Repairs+c.Repairs
		sum = sum.Add(c.Found)
		if c.Failed {
			out.Failed++
		}
		if c.Message != "" {
			out.Message = s.Name + ": " + c.Message
		}
	})
	if !told {
		return nil
	}
	if never {
		out.Whole, out.Rounds = time.Time{}, 0
	}
	out.Lost, out.Damaged, out.Unindexed, out.Unknown, out.Orphaned = sum.Lost, sum.Damaged, sum.Unindexed, sum.Unknown, sum.Orphaned
	return &out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
