package checking

import (
	"context"
	"fmt"
	"slices"

	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/collection"
	"loggia/transfer/collect"
	"loggia/transfer/index"
	"loggia/transfer/repository"
	"loggia/transfer/scrub"
)

// only are the whole copies in a repository that have no other whole one, anywhere. What such a copy still has is worth more than an index
// without faults: a repair that nobody asked for does not touch it (D11).
func only(v *state.View, k gallery.RepositoryKey) []collect.Disk {
	alone := map[string]bool{}
	for _, r := range v.ReplicasOfStore(k.Store) {
		if r.Repository() == k && r.Whole() && !elsewhere(v, r) {
			alone[r.Key.String()] = true
		}
	}
	var out []collect.Disk
	for _, d := range collection.State(v, k).Whole {
		if alone[d.Name] {
			out = append(out, d)
		}
	}
	return out
}

// elsewhere says whether a disk has another whole copy.
func elsewhere(v *state.View, r *gallery.Replica) bool {
	for _, other := range v.ReplicasOfDisk(r.Key.Disk) {
		if other.Key != r.Key && other.Whole() {
			return true
		}
	}
	return false
}

// sparingSince is the cluster version from which the log itself spares the last whole copy.
const sparingSince = 5

// giveUp has the log say which copies are no longer whole before what they need is taken out of the index. Where two regions repair their copies of
// a disk at once it refuses that to the second, whose copy is an only one from then on. Should the node end in between, the next turn finds what is bad again.
func (j *job) giveUp(ctx context.Context, v *repository.View) error {
	state := j.o.State()
	why := map[collect.Disk]string{}
	alone := only(state, j.key)
	for _, d := range collection.State(state, j.key).Whole {
		if slices.Contains(alone, d) {
			continue
		}
		bad := false
		known, err := scrub.Relies(ctx, v, d, func(p index.Pack) { bad = bad || j.packs[p] })
		if err != nil {
			return err
		}
		if bad || !known {
			why[d] = "what it needs is lost or damaged"
		}
	}
	return j.markAll(ctx, why)
}

// leave takes out of the repair the packs that only copies need. Where that cannot be known, or segments are lost that they need, it is
// ErrVerification, and nothing is to be repaired.
func (j *job) leave(ctx context.Context, v *repository.View, lost bool) error {
	if err := j.giveUp(ctx, v); err != nil {
		return err
	}
	for _, d := range only(j.o.State(), j.key) {
		known, err := scrub.Relies(ctx, v, d, func(p index.Pack) {
			if j.packs[p] {
				delete(j.packs, p)
				j.kept = append(j.kept, p)
			}
		})
		if err != nil {
			return err
		}
		if !known && (lost || len(j.packs) > 0) {
			return &gallery.Error{Kind: gallery.ErrVerification, Op: "repair", Resource: string(j.key.Store),
				Message: fmt.Sprintf("the only whole copy %s needs what is lost or damaged; nothing was changed", d.Name)}
		}
	}
	return nil
}
