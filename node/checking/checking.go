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
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/node/turns"
	"loggia/transfer/buffer"
	"loggia/transfer/collect"
	"loggia/transfer/frame"
	"loggia/transfer/repository"
	"loggia/transfer/scrub"
)

// Options is what a Checker needs.
type Options struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	Watched func() (*state.View, *state.Watch)
	State   func() *state.View
	Settle  func(context.Context) error // brings the state up to date
	Reports turns.Reporter
	Claims  *turns.Claims // of this node
	Depot   *depot.Depot
	Pool    *buffer.Pool // packs
	Encoder frame.Compressor
	TempDir string
	Asked   collect.Rates // of checks that an operator asked for
	Own     collect.Rates // of those that the region makes by itself; they yield to transfers
	Period  time.Duration // within which the region reads every pack by itself; 0: it does not
	Quick   time.Duration // between two looks at existence and lengths; at most Period
	Repair  bool          // whether its own checks repair
	Now     func() time.Time
	Log     *slog.Logger
}

// Checker checks; it is safe for use by many goroutines, of which one is served at a time. Run makes the region's own checks.
type Checker struct {
	*turns.Loop
	o     Options
	pace  turns.Pace
	busy  atomic.Bool // with what an operator asked for
	weigh weigher
}

// New returns a Checker.
func New(o Options) *Checker {
	c := &Checker{o: o, pace: turns.Pace{Self: o.Self, Began: o.Now()}}
	c.weigh.o = o
	c.o.Own.Weight = c.weigh.weight
	c.Loop = turns.New(turns.Options{Region: o.Region, Watched: o.Watched, Has: func(id gallery.StoreID) bool { return o.Depot.Has(id) }, Since: since,
		Due: func(r *gallery.Repository, b turns.Beginning, _ *gallery.Cluster) (time.Time, bool) {
			return c.due(r, b)
		},
		Turn: c.turn, Pause: time.Minute, Now: o.Now, Log: o.Log})
	return c
}

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
		repo, err := c.repository(k, c.o.Asked)
		if err != nil {
			return err
		}
		paced = repo.Store
		one := newJob(c, k, repo, func(e v1.CheckEvent) error {
			e.Store, e.Slot, e.Domain = s.Name, k.Slot, string(k.Domain)
			return emit(e)
		})
		one.quick = r.Quick
		if err := one.asked(ctx, r.Repair); err != nil {
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

// repository opens a repository whose requests keep within rates.
func (c *Checker) repository(k gallery.RepositoryKey, r collect.Rates) (*repository.Repository, error) {
	bare, err := c.o.Depot.Repository(k)
	if err != nil {
		return nil, err
	}
	return bare.Over(collect.Pace(bare.Store, r)), nil
}
