package checking

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"loggia/api/v1"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/collection"
	"loggia/transfer/index"
	"loggia/transfer/repository"
	"loggia/transfer/scrub"
)

// tellEvery is the pace of progress.
const tellEvery = time.Second

// maxRepairs bounds what one check remembers to repair; the next one finds the rest.
const maxRepairs = 1 << 14

// job is the check of one repository.
type job struct {
	*Checker
	key   gallery.RepositoryKey
	repo  *repository.Repository
	emit  func(v1.CheckEvent) error
	quick bool
	part  *scrub.Part          // nil: everything
	hear  func(scrub.Progress) // nil: nobody
	spare bool                 // a repair leaves what a copy needs that is the only one

	counts   gallery.CheckCounts
	packs    map[index.Pack]bool // that are lost or damaged
	segments map[string]bool     // keys of segments that are
	records  map[string]bool     // names of replicas that have none
	broken   bool                // something needs repair
	kept     []index.Pack        // that are bad, and left because of spare
	repaired int64               // copies that are made whole again
	told     time.Time
	shown    v1.CheckProgress // the newest
}

func newJob(c *Checker, k gallery.RepositoryKey, r *repository.Repository, emit func(v1.CheckEvent) error) *job {
	return &job{Checker: c, key: k, repo: r, emit: emit, packs: map[index.Pack]bool{}, segments: map[string]bool{}, records: map[string]bool{}}
}

// asked does what an operator asked for.
func (j *job) asked(ctx context.Context, repair bool) (err error) {
	if err := j.scrub(ctx); err != nil || !j.broken || !repair {
		return err
	}
	row, err := j.take(ctx)
	if err != nil {
		return fmt.Errorf("claim the repository to repair it: %w", err)
	}
	defer func() { err = errors.Join(err, j.o.Claims.Release(j.key, row.Claim.Epoch, nil)) }()
	return j.repair(ctx, row.Claim.Epoch)
}

// patience is how long a repair waits for another node's turn, or collection, to end.
const patience = turnLimit + giveWay

// take claims the repository. A check of this region's own, in this process, gives its place up as soon as it sees that an operator checks; another
// node's is waited for.
func (j *job) take(ctx context.Context) (*gallery.Repository, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		v, watch := j.o.Watched()
		claim := v.Repository(j.key).Claim
		if claim == nil || claim.Node == j.o.Self {
			row, err := j.o.Claims.Take(bounded, j.key, true, false)
			if !errors.Is(err, gallery.ErrClaimed) || bounded.Err() != nil {
				return row, err
			}
			continue // another node was faster
		}
		// The reader hears that somebody is at work.
		if err := j.emit(v1.CheckEvent{Type: "progress", Progress: &j.shown}); err != nil {
			return nil, err
		}
		tick, end := context.WithTimeout(bounded, tellEvery)
		_ = watch.Wait(tick) // a change or the time: both mean to look again
		end()
		if bounded.Err() != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, &gallery.Error{Kind: gallery.ErrClaimed, Op: "repair", Resource: string(j.key.Store), Message: "node " + string(claim.Node) + " checks or collects it; try again"}
		}
	}
}

// scrub finds what is wrong.
func (j *job) scrub(ctx context.Context) error {
	v := j.o.State()
	condemned, err := j.o.Depot.Condemned(ctx, v.Repository(j.key))
	if err != nil {
		return err
	}
	return scrub.Run(ctx, scrub.Options{Repository: j.repo, State: collection.State(v, j.key), Condemned: condemned, TempDir: j.o.TempDir,
		Quick: j.quick, Part: j.part, Found: func(f scrub.Finding) error { return j.found(v, f) }, Progress: j.progress})
}

// found passes a finding on, unless the state says by now that it is none: the check looks at a state that gets older.
func (j *job) found(v *state.View, f scrub.Finding) error {
	if f.Bad() && j.o.State().Repository(j.key).Epoch != v.Repository(j.key).Epoch {
		return &gallery.Error{Kind: gallery.ErrStaleRepository, Op: "verify", Message: "a collection has changed the repository meanwhile; check again"}
	}
	count(&j.counts, f.Kind)
	if f.Bad() && f.Kind != scrub.Unknown {
		j.broken = true
		j.o.Log.Error("stored content is not as it should be", "kind", f.Kind, "key", f.Key, "replica", f.Disk, "detail", f.Detail)
		if f.Pack != nil && len(j.packs) < maxRepairs {
			j.packs[*f.Pack] = true
		}
		if f.Record {
			j.records[f.Disk] = true
		}
		if o, err := j.repo.Keys.Parse(f.Key); err == nil && o.Kind == 'i' {
			j.segments[f.Key] = true
		}
	}
	return j.emit(v1.CheckEvent{Type: "finding", Finding: &v1.CheckFinding{Kind: string(f.Kind), Key: f.Key, Size: f.Size, Disk: f.Disk, Detail: f.Detail}})
}

func count(c *gallery.CheckCounts, k scrub.Kind) {
	switch k {
	case scrub.Lost:
		c.Lost++
	case scrub.Damaged:
		c.Damaged++
	case scrub.Unindexed:
		c.Unindexed++
	case scrub.Orphaned:
		c.Orphaned++
	default:
		c.Unknown++
	}
}

// damaged are the ids of packs that are bad, or only of those that a repair has left.
func (j *job) damaged(repaired bool) []digest.Digest {
	var out []digest.Digest
	for _, p := range j.kept {
		out = append(out, p.ID)
	}
	if !repaired {
		for p := range j.packs {
			out = append(out, p.ID)
		}
	}
	slices.SortFunc(out, digest.Digest.Compare)
	return out
}

func (j *job) progress(p scrub.Progress) {
	if j.hear != nil {
		j.hear(p)
	}
	j.shown = v1.CheckProgress{Disks: p.Disks, Packs: p.Packs, PacksTotal: p.PacksTotal, Bytes: p.Bytes, BytesTotal: p.BytesTotal}
	now := j.o.Now()
	if now.Sub(j.told) < tellEvery && p.Packs != p.PacksTotal {
		return
	}
	j.told = now
	// A reader that is gone ends the check through its context.
	_ = j.emit(v1.CheckEvent{Type: "progress", Progress: &j.shown})
}
