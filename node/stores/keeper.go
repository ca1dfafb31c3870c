// Package stores brings the configured stores of this node into service: opened, checked, registered, watched.
package stores

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
	"loggia/blobstore/compose"
	"loggia/blobstore/limit"
	"loggia/blobstore/metrics"
	"loggia/blobstore/probe"
	"loggia/blobstore/reserve"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/config"
	"loggia/transfer/repository"
)

// Reporter puts this node's reports into the log.
type Reporter interface {
	Report(ctx context.Context, c command.Command) (command.Result, error)
}

// Options is what a Keeper needs.
type Options struct {
	Region  gallery.RegionName
	Stores  []config.Store
	State   func() *state.View
	Reports Reporter
	Ready   func(id gallery.StoreID, s blobstore.Store) // called once for each store in service
	Metrics *metrics.Metrics
	Now     func() time.Time
	Log     *slog.Logger
}

// Keeper is safe for use by many goroutines.
type Keeper struct {
	o Options

	mu     sync.Mutex
	faults map[string]string                // by store name: why it is not in service yet
	linked map[gallery.StoreID]config.Links // of stores whose links open nothing else, as the probe saw: who gets some
}

// New returns a keeper; Run does the work.
func New(o Options) *Keeper {
	k := &Keeper{o: o, faults: map[string]string{}, linked: map[gallery.StoreID]config.Links{}}
	for _, s := range o.Stores {
		k.faults[s.Name] = "not looked at yet"
	}
	return k
}

// Faults says which stores are not in service and why.
func (k *Keeper) Faults() map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make(map[string]string, len(k.faults))
	for n, why := range k.faults {
		out[n] = why
	}
	return out
}

// Linked says whether links to a store's objects may be given out, to clients or to other regions: its probe saw that they open nothing else, and
// its configuration allows it.
func (k *Keeper) Linked(id gallery.StoreID, clients bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	to := k.linked[id]
	return to == config.LinksAll || to == config.LinksClients && clients
}

func (k *Keeper) note(name string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		delete(k.faults, name)
		return
	}
	k.faults[name] = err.Error()
}

// Run serves every store until ctx ends. One that cannot be opened is tried again for ever; the
// others do not wait for it.
func (k *Keeper) Run(ctx context.Context) error {
	var g errgroup.Group
	for _, s := range k.o.Stores {
		g.Go(func() error {
			k.serve(ctx, s)
			return nil
		})
	}
	return g.Wait()
}

// The pause between attempts to bring a store into service.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

func (k *Keeper) serve(ctx context.Context, c config.Store) {
	log := k.o.Log.With("store", c.Name)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		s, err := k.open(ctx, c)
		if err == nil {
			k.note(c.Name, nil)
			log.Info("store in service", "id", s.id, "kind", c.Kind)
			k.o.Ready(s.id, s.store)
			k.watch(ctx, s)
			return
		}
		if ctx.Err() != nil {
			return
		}
		k.note(c.Name, err)
		log.Error("store is not in service", "error", err, "again", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// store is one that is in service.
type store struct {
	id      gallery.StoreID
	store   *compose.Store
	changed chan struct{} // buffered by one: the state may have changed
}

// open opens a store, makes sure that it is this cluster's, probes it and tells the log.
func (k *Keeper) open(ctx context.Context, c config.Store) (*store, error) {
	cluster := k.o.State().Cluster()
	if cluster == nil {
		return nil, errors.New("the cluster is not founded yet")
	}
	bare, err := dial(c, "")
	if err != nil {
		return nil, err
	}
	id, err := k.identify(ctx, bare, cluster)
	if err != nil {
		return nil, err
	}
	found, err := probe.Probe(ctx, bare, probe.Options{Now: k.o.Now})
	if err != nil {
		return nil, err
	}
	if found.SkewAlarm {
		k.o.Log.Warn("the store's clock is off", "store", c.Name, "milliseconds", found.SkewMillis)
	}
	if bare, err = dial(c, found.Checksum); err != nil {
		return nil, err
	}
	k.mu.Lock()
	if delete(k.linked, id); found.Links {
		k.linked[id] = c.Links
	}
	k.mu.Unlock()
	s := &store{id: id, changed: make(chan struct{}, 1)}
	s.store = compose.Wrap(bare, compose.Options{Name: c.Name, Metrics: k.o.Metrics, Limiter: limit.New(limit.Options{}), Reserve: reserve.Options{
		Floor: int64(c.Reserve), Now: k.o.Now, Changed: func(reserve.State) { s.poke() }}})
	s.store.Space.Check(ctx)
	return s, k.register(ctx, c, s, found)
}

func (s *store) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// identify returns the store's id: from its identity object, which is written where there is none.
func (k *Keeper) identify(ctx context.Context, s blobstore.Store, cluster *gallery.Cluster) (gallery.StoreID, error) {
	have, err := repository.ReadIdentity(ctx, s)
	if errors.Is(err, repository.ErrNoIdentity) {
		want := repository.Identity{Cluster: string(cluster.ID), Generation: cluster.Generation, Region: string(k.o.Region), Store: uuid.NewString()}
		if err := repository.WriteIdentity(ctx, s, want); err != nil && !errors.Is(err, repository.ErrIdentity) {
			return "", err
		}
		// Another node of the region may have been faster: what lies there counts.
		have, err = repository.ReadIdentity(ctx, s)
	}
	if err != nil {
		return "", err
	}
	if have.Cluster != string(cluster.ID) || have.Region != string(k.o.Region) || have.Generation != cluster.Generation {
		return "", fmt.Errorf("%w: %s says cluster %s generation %d region %s; this is cluster %s generation %d region %s", repository.ErrIdentity,
			repository.IdentityKey, have.Cluster, have.Generation, have.Region, cluster.ID, cluster.Generation, k.o.Region)
	}
	return gallery.StoreID(have.Store), nil
}

// register tells the log of the store, new or known.
func (k *Keeper) register(ctx context.Context, c config.Store, s *store, found probe.Abilities) error {
	abilities, err := json.Marshal(found)
	if err != nil {
		return err
	}
	st, reason, room := health(s.store.Space.State())
	row := gallery.Store{ID: s.id, Region: k.o.Region, Name: c.Name, Zone: c.Zone, Class: gallery.StoreClass(c.Class), Kind: gallery.StoreKind(c.Kind),
		Location: location(c), State: st, Reason: reason, Capacity: room, Abilities: abilities, Checked: k.o.Now()}
	_, err = k.o.Reports.Report(ctx, &command.StorePut{Store: row})
	return err
}

// tellEvery is how often the room of a store is told where nothing else changes.
const tellEvery = 5 * time.Minute

// watch follows the store's state and tells changes until ctx ends.
func (k *Keeper) watch(ctx context.Context, s *store) {
	var g errgroup.Group
	g.Go(func() error { return s.store.Run(ctx) })
	g.Go(func() error {
		k.tell(ctx, s)
		return nil
	})
	_ = g.Wait() // ends with ctx only
}

func (k *Keeper) tell(ctx context.Context, s *store) {
	t := time.NewTicker(tellEvery)
	defer t.Stop()
	told := gallery.StoreState("")
	if row := k.o.State().Store(s.id); row != nil {
		told = row.State
	}
	for {
		select {
		case <-t.C:
			told = ""
		case <-s.changed:
		case <-ctx.Done():
			return
		}
		st, reason, room := health(s.store.Space.State())
		if st == told {
			continue
		}
		if _, err := k.o.Reports.Report(ctx, &command.StoreSetState{ID: s.id, State: st, Reason: reason, Capacity: room}); err != nil {
			k.o.Log.Warn("state of the store was not told", "id", s.id, "state", st, "error", err)
			continue
		}
		told = st
	}
}

// health turns what the watch knows into the log's words.
func health(s reserve.State) (gallery.StoreState, string, gallery.Capacity) {
	room := gallery.Capacity{Total: max(0, s.Capacity.Total), Free: max(0, s.Capacity.Free)}
	reason := gallery.ErrorText(s.Err)
	switch s.Status {
	case reserve.Full:
		if reason == "" {
			reason = fmt.Sprintf("less than %d bytes are left", s.Floor)
		}
		return gallery.StoreFull, reason, room
	case reserve.Unavailable:
		return gallery.StoreUnavailable, reason, room
	case reserve.Forbidden:
		return gallery.StoreForbidden, reason, room
	}
	return gallery.StoreOK, "", room
}
