package checking

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"loggia/api/v1"
	"loggia/blobstore"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/collection"
	"loggia/node/depot"
	"loggia/transfer/buffer"
	"loggia/transfer/collect"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/repository"
	"loggia/transfer/scrub"
)

// Reporter puts this node's reports into the log.
type Reporter interface {
	Report(ctx context.Context, c command.Command) (command.Result, error)
}

// Options is what a Checker needs.
type Options struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	State   func() *state.View
	Settle  func(context.Context) error // brings the state up to date
	Reports Reporter
	Depot   *depot.Depot
	Pool    *buffer.Pool // packs
	Encoder frame.Compressor
	TempDir string
	Lease   time.Duration // of the claim under which a repair is done
	Rates   collect.Rates
	Now     func() time.Time
	Log     *slog.Logger
}

// Checker checks; it is safe for use by many goroutines, of which one is served at a time.
type Checker struct {
	o       Options
	busy    atomic.Bool
	holding atomic.Bool
}

// New returns a Checker.
func New(o Options) *Checker { return &Checker{o: o} }

// Active says whether this node holds a claim for a repair, which is to be renewed.
func (c *Checker) Active() bool { return c.holding.Load() }

// Check implements check.Service.
func (c *Checker) Check(ctx context.Context, region string, r v1.CheckRequest, emit func(v1.CheckEvent) error) error {
	if region != string(c.o.Region) {
		return &gallery.Error{Kind: gallery.ErrUnavailable, Op: "verify", Resource: region, Message: "no node of the region can be reached"}
	}
	if !c.busy.CompareAndSwap(false, true) {
		return &gallery.Error{Kind: gallery.ErrConflict, Op: "verify", Resource: region, Message: "this node is checking its stores already"}
	}
	defer c.busy.Store(false)
	if err := c.o.Settle(ctx); err != nil {
		return err
	}
	found := 0
	for _, s := range c.o.State().Stores(c.o.Region) {
		if r.Store != "" && r.Store != s.Name {
			continue
		}
		found++
		if !c.o.Depot.Has(s.ID) {
			return &gallery.Error{Kind: gallery.ErrUnavailable, Op: "verify", Resource: s.Name, Message: "this node does not have the store in service"}
		}
		if err := c.store(ctx, s, r, emit); err != nil {
			return err
		}
	}
	if found == 0 {
		return &gallery.Error{Kind: gallery.ErrNotFound, Op: "verify", Resource: region + "/" + r.Store, Message: "no such store"}
	}
	return nil
}

// store checks every repository of a store, and that nothing else lies in it.
func (c *Checker) store(ctx context.Context, s *gallery.Store, r v1.CheckRequest, emit func(v1.CheckEvent) error) error {
	var paced blobstore.Store
	for _, k := range c.o.State().RepositoryKeys(s.ID) {
		repo, err := c.repository(k)
		if err != nil {
			return err
		}
		paced = repo.Store
		one := &job{Checker: c, key: k, repo: repo, request: r, emit: func(e v1.CheckEvent) error {
			e.Store, e.Slot, e.Domain = s.Name, k.Slot, string(k.Domain)
			return emit(e)
		}}
		if err := one.run(ctx); err != nil {
			return fmt.Errorf("store %s: %w", s.Name, err)
		}
	}
	if paced == nil {
		return nil
	}
	ours := c.prefixes(s.ID)
	return paced.List(ctx, "", "", func(i blobstore.Info) error {
		if i.Key == repository.IdentityKey || within(ours, i.Key) {
			return nil
		}
		if ours = c.prefixes(s.ID); within(ours, i.Key) { // of a publish that has begun meanwhile
			return nil
		}
		return emit(v1.CheckEvent{Type: "finding", Store: s.Name, Finding: &v1.CheckFinding{Kind: string(scrub.Unknown), Key: i.Key, Size: i.Size, Detail: "in no repository of this store"}})
	})
}

// prefixes are what the keys of a store's repositories begin with, those that an open upload is the first to write to included.
func (c *Checker) prefixes(id gallery.StoreID) (out []string) {
	v := c.o.State()
	keys := v.RepositoryKeys(id)
	for _, u := range v.Uploads() {
		if u.Store == id {
			keys = append(keys, u.Repository())
		}
	}
	for _, k := range keys {
		if made, err := repository.NewKeys(string(k.Domain), k.Slot); err == nil {
			out = append(out, made.Prefix())
		}
	}
	return out
}

func within(prefixes []string, key string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

func (c *Checker) repository(k gallery.RepositoryKey) (*repository.Repository, error) {
	bare, err := c.o.Depot.Repository(k)
	if err != nil {
		return nil, err
	}
	return bare.Over(collect.Pace(bare.Store, c.o.Rates)), nil
}

// tellEvery is the pace of progress.
const tellEvery = time.Second

// maxRepairs bounds what one check remembers to repair; the next one finds the rest.
const maxRepairs = 1 << 14

// job is the check of one repository.
type job struct {
	*Checker
	key     gallery.RepositoryKey
	repo    *repository.Repository
	request v1.CheckRequest
	emit    func(v1.CheckEvent) error

	packs    map[index.Pack]bool // that are lost or damaged
	segments map[string]bool     // keys of segments that are
	records  map[string]bool     // names of replicas that have none
	broken   bool                // something needs repair
	told     time.Time
}

func (j *job) run(ctx context.Context) error {
	v := j.o.State()
	condemned, err := j.o.Depot.Condemned(ctx, v.Repository(j.key))
	if err != nil {
		return err
	}
	j.packs, j.segments = map[index.Pack]bool{}, map[string]bool{}
	j.records = map[string]bool{}
	err = scrub.Run(ctx, scrub.Options{Repository: j.repo, State: collection.State(v, j.key), Condemned: condemned, TempDir: j.o.TempDir, Quick: j.request.Quick,
		Found: func(f scrub.Finding) error { return j.found(v, f) }, Progress: j.progress})
	if err != nil || !j.broken || !j.request.Repair {
		return err
	}
	return j.repair(ctx)
}

// found passes a finding on, unless the state says by now that it is none: the check looks at a state that gets older.
func (j *job) found(v *state.View, f scrub.Finding) error {
	if f.Bad() && j.o.State().Repository(j.key).Epoch != v.Repository(j.key).Epoch {
		return &gallery.Error{Kind: gallery.ErrStaleRepository, Op: "verify", Message: "a collection has changed the repository meanwhile; check again"}
	}
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

func (j *job) progress(p scrub.Progress) {
	now := j.o.Now()
	if now.Sub(j.told) < tellEvery && p.Packs != p.PacksTotal {
		return
	}
	j.told = now
	// A reader that is gone ends the check through its context.
	_ = j.emit(v1.CheckEvent{Type: "progress", Progress: &v1.CheckProgress{Disks: p.Disks, Packs: p.Packs, PacksTotal: p.PacksTotal, Bytes: p.Bytes, BytesTotal: p.BytesTotal}})
}
