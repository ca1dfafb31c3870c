package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"loggia/internal/digest"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/repository"
)

// Options is what a Run needs.
type Options struct {
	Repository *repository.Repository
	Writer     *repository.Writer // of the same repository, under the collector's claim; without a View
	TempDir    string             // where sets of ids spill to
	Encoder    frame.Compressor   // for what is framed anew
	Compact    bool
	Accept     bool // an operator has: garbage that nothing explains goes, too
	// Reached returns an index that the log has reached, no less than that of any claim granted before the call.
	Reached func(context.Context) (uint64, error)
}

// Report counts what a run found and did. Bytes are of stored objects.
type Report struct {
	Objects, Bytes  int64 // listed
	Foreign         int64 // keys that are none of ours, among them
	Live            int64 // stored bytes of live chunks
	Packs           int64 // that are known, live or dead
	Garbage         int64 // objects to be deleted
	GarbageBytes    int64
	Unaccounted     int64 // packs among them that nothing explains
	Compacted       int64 // bytes of packs whose live part was moved
	Written         int64 // bytes of new packs
	More            bool  // a bound was reached: the next run finds more
	CompactedChunks int64
}

// Condemned is what the log is told.
type Condemned struct {
	List   digest.Digest // zero: there is nothing to condemn
	Add    []repository.SegmentRef
	Remove []digest.Digest
	Marked uint64 // index of the newest state that was marked
	Began  uint64 // and of the first
}

// Run is one run over one repository. It is for one goroutine. Whatever it writes lies under its own epoch: a run that is given up, or dies,
// leaves garbage for the next one.
type Run struct {
	Options
	marks  *marks
	report Report
	pass   uint64

	first State // what the run began with: its open claims are spared
	last  State
	open  map[uint64]bool
	view  *repository.View // of last
	now   *assignment      // of last

	forgotten []repository.Object // listed, and named by nothing
}

// New makes a Run, which is to be closed.
func New(o Options) (*Run, error) {
	if o.Repository == nil || o.Writer == nil || o.Reached == nil {
		return nil, errors.New("a collector needs a repository, a writer and the log's index")
	}
	return &Run{Options: o, marks: newMarks(o.TempDir)}, nil
}

// Close frees memory and files.
func (r *Run) Close() error {
	errs := []error{r.marks.close()}
	if r.view != nil {
		errs = append(errs, r.view.Close())
	}
	if r.now != nil {
		errs = append(errs, r.now.close())
	}
	return errors.Join(errs...)
}

// Report says how the run stands.
func (r *Run) Report() Report { return r.report }

// Survey marks a state, compacts, lists the store and accounts for the garbage. It is called once, first.
func (r *Run) Survey(ctx context.Context, s State) error {
	r.first, r.open = s, make(map[uint64]bool)
	for _, e := range s.Open {
		r.open[e] = true
	}
	if err := r.Renew(ctx, s); err != nil {
		return err
	}
	if r.Compact {
		if err := r.compact(ctx); err != nil {
			return fmt.Errorf("compact: %w", err)
		}
	}
	if err := r.list(ctx); err != nil {
		return err
	}
	r.count()
	return r.account()
}

// Renew marks a newer state and deals the chunks out anew. What was listed stays: no key that nothing named can come to be named.
func (r *Run) Renew(ctx context.Context, s State) error {
	view, err := r.Repository.Open(ctx, s.Segments)
	if err != nil {
		if absent(err) {
			return stop(ErrUnreadable, "%w", err)
		}
		return err
	}
	if r.view != nil {
		err = r.view.Close()
	}
	r.view, r.last = view, s
	if err == nil {
		err = r.marks.mark(ctx, view, s)
	}
	if err == nil {
		err = r.assign()
	}
	return err
}

func (r *Run) assign() error {
	r.pass++
	now, err := r.marks.assign(r.TempDir, r.pass, r.view, r.Writer, r.spared)
	if err != nil {
		return err
	}
	if r.now != nil {
		err = r.now.close()
	}
	r.now = now
	return err
}

// spared says whether the objects of an epoch are left alone: its claim is open, or younger than the state that the run began with, or the run's own.
func (r *Run) spared(epoch uint64) bool {
	return epoch > r.first.Index || r.open[epoch] || epoch == r.Writer.Epoch()
}

// unaccountedShare is what may go of a repository's packs without an explanation.
const unaccountedShare = 0.05

func (r *Run) account() error {
	r.report.Unaccounted = int64(r.now.unexplained)
	if !r.Accept && float64(r.report.Unaccounted) > unaccountedShare*float64(r.report.Packs) {
		return stop(ErrUnaccounted, "%d of %d packs: no delete, ended claim or compaction explains that they are garbage", r.report.Unaccounted, r.report.Packs)
	}
	return nil
}

// count sums up what there is to delete.
func (r *Run) count() {
	for _, d := range r.now.dead {
		if !d.kept {
			r.report.Garbage++
			r.report.GarbageBytes += d.Size
		}
	}
	r.report.Packs += int64(r.now.livePacks + len(r.now.dead))
	r.report.Live = r.now.live
	r.report.More = r.report.More || len(r.now.dead) == maxDead || len(r.now.rewrite) == maxSegments
}

// Condemn writes the list, and the segments without its packs, and returns what the log is to be told. It may be called again after Renew.
func (r *Run) Condemn(ctx context.Context) (Condemned, error) {
	out := Condemned{Marked: r.last.Index, Began: r.first.Index}
	if err := r.account(); err != nil {
		return out, err
	}
	own, err := r.Writer.Segment(ctx)
	if err != nil {
		return out, err
	}
	dead := r.dead()
	if len(dead)+len(r.forgotten)+len(own) == 0 {
		return out, nil
	}
	var which []int
	for i := range r.now.rewrite {
		which = append(which, i)
	}
	slices.Sort(which)
	var superseded []repository.Object
	if len(own)+len(which) > 0 {
		if out.Add, out.Remove, err = r.Writer.Rewrite(ctx, r.view, which, r.keeps); err != nil {
			return out, fmt.Errorf("write segments: %w", err)
		}
		for _, i := range which { // superseded from the same entry on
			superseded = append(superseded, segment(r.last.Segments[i]))
		}
		for _, ref := range own { // the new ones list what these do
			if !slices.ContainsFunc(out.Add, func(a repository.SegmentRef) bool { return a.ID == ref.ID }) {
				superseded = append(superseded, segment(ref))
			}
		}
	}
	keys := r.keys(dead, superseded, r.forgotten)
	if out.List, err = r.Writer.PutCondemned(ctx, NewList(keys).Encode()); err != nil {
		return out, fmt.Errorf("write list of condemned keys: %w", err)
	}
	return out, nil
}

func (r *Run) keeps(p index.Pack) bool {
	d := r.now.dead[placeOf(p)]
	return d == nil || d.kept
}

// dead returns the packs that go: only these leave the segments, so that all of them have to be in the list.
func (r *Run) dead() (out []repository.Object) {
	for _, d := range r.now.dead {
		if !d.kept {
			out = append(out, repository.Object{Kind: byte(d.Kind), Epoch: d.Epoch, ID: d.ID})
		}
	}
	return out
}

// keys lists the keys that go, the first objects first, and at most MaxKeys: of what is left no segment is live, and the next run finds it.
func (r *Run) keys(objects ...[]repository.Object) (keys []string) {
	for _, some := range objects {
		for _, o := range some[:min(len(some), MaxKeys-len(keys))] {
			keys = append(keys, r.relative(o))
		}
	}
	return keys
}

func segment(ref repository.SegmentRef) repository.Object {
	return repository.Object{Kind: 'i', Epoch: ref.Epoch, ID: ref.ID}
}

func (r *Run) relative(o repository.Object) string {
	return strings.TrimPrefix(r.Repository.Keys.Of(o), r.Repository.Keys.Prefix())
}
