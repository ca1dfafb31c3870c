package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/live"
)

// gauges tells Prometheus how the node stands, from the state at the moment of the scrape.
type gauges struct {
	view     func() *state.View
	leading  func() bool
	caughtUp func() bool
	region   gallery.RegionName
	live     *live.Registry
	uploads  func() int
}

var (
	descLeading  = desc("leader", "Whether this node leads (1) or not (0).")
	descCurrent  = desc("caught_up", "Whether the state has been current since the start.")
	descApplied  = desc("applied_index", "Log index of the last command applied.")
	descReplicas = desc("replicas", "Replicas of this node's region by state.", "state")
	descStore    = desc("store_free_bytes", "Free bytes of this region's stores, where they can tell.", "store", "state")
	descUploads  = desc("uploads_open", "Publishes that this node is taking in.")
	descBytes    = desc("transfer_left_bytes", "Stored bytes still to come of transfers under way.", "source")
	descRate     = desc("transfer_bytes_per_second", "Rate of transfers under way.", "source")
)

var (
	descStored  = desc("collection_stored_bytes", "Bytes listed by the newest collection of each of this region's stores.", "store")
	descLive    = desc("collection_live_bytes", "Stored bytes of live chunks found by it.", "store")
	descGarbage = desc("collection_condemned_bytes", "Bytes condemned and not deleted yet.", "store")
	descHeld    = desc("collection_stopped", "Repositories whose newest collection stopped without a delete, by reason.", "store", "reason")
	descOff     = desc("collection_off", "Whether the collection of garbage is turned off (1).")
)

var (
	descFound     = desc("check_findings", "What the newest turns of this region's own checks found in each of its stores, by kind.", "store", "kind")
	descChecked   = desc("check_last_timestamp_seconds", "When the newest turn over the repository that is furthest behind ended; 0: never.", "store")
	descRead      = desc("check_round_timestamp_seconds", "When every pack of a store had been read since the round before; 0: never.", "store")
	descRepairs   = desc("check_repairs", "Copies that this region's own checks have had made whole again.", "store")
	descUnsettled = desc("check_failed", "Repositories whose newest turn failed, or left something that it could not repair.", "store")
)

// checks tells how the region's own checks stand.
func (g *gauges) checks(v *state.View, tell func(*prometheus.Desc, float64, ...string)) {
	for _, s := range v.Stores(g.region) {
		var found gallery.CheckCounts
		var repairs int64
		last, whole := time.Time{}, time.Time{}
		failed := 0
		for i, k := range v.RepositoryKeys(s.ID) {
			var c gallery.Check
			if x := v.Repository(k).Checked; x != nil {
				c = *x
			}
			if i == 0 || c.Ended.Before(last) {
				last = c.Ended
			}
			if i == 0 || c.Whole.Before(whole) {
				whole = c.Whole
			}
			found, repairs = found.Add(c.Found), repairs+c.Repairs
			if c.Message != "" {
				failed++
			}
		}
		tell(descChecked, seconds(last), s.Name)
		tell(descRead, seconds(whole), s.Name)
		tell(descRepairs, float64(repairs), s.Name)
		tell(descUnsettled, float64(failed), s.Name)
		for kind, n := range map[string]int64{"lost": found.Lost, "damaged": found.Damaged, "unindexed": found.Unindexed, "unknown": found.Unknown, "orphaned": found.Orphaned} {
			tell(descFound, float64(n), s.Name, kind)
		}
	}
}

// seconds is a time for Prometheus.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

// collections tells how the collection of garbage stands.
func (g *gauges) collections(v *state.View, tell func(*prometheus.Desc, float64, ...string)) {
	if c := v.Cluster(); c != nil {
		tell(descOff, number(c.CollectionOff))
	}
	for _, s := range v.Stores(g.region) {
		var stored, live, garbage int64
		stopped := map[gallery.CollectionReason]int{}
		for _, r := range v.RepositoriesOfStore(s.ID) {
			if r.Last == nil {
				continue
			}
			stored, live = stored+r.Last.Bytes, live+r.Last.Live
			if r.Condemned != nil {
				garbage += r.Last.GarbageBytes
			}
			if r.Last.State == gallery.CollectionStopped {
				stopped[r.Last.Reason]++
			}
		}
		tell(descStored, float64(stored), s.Name)
		tell(descLive, float64(live), s.Name)
		tell(descGarbage, float64(garbage), s.Name)
		for why, n := range stopped {
			tell(descHeld, float64(n), s.Name, string(why))
		}
	}
}

// linked counts what comes from other regions' stores.
func linked(bytes func() int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "loggia_frames_linked_bytes_total",
		Help: "Bytes of frames that this node read from other regions' stores by links, past their nodes."}, func() float64 { return float64(bytes()) })
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("loggia_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descLeading, descCurrent, descApplied, descReplicas, descStore, descUploads, descBytes, descRate,
		descStored, descLive, descGarbage, descHeld, descOff, descFound, descChecked, descRead, descRepairs, descUnsettled} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	v := g.view()
	tell(descLeading, number(g.leading()))
	tell(descCurrent, number(g.caughtUp()))
	tell(descApplied, float64(v.Index()))
	tell(descUploads, float64(g.uploads()))
	states := map[gallery.ReplicaState]int{gallery.ReplicaUnknown: 0, gallery.ReplicaReplicating: 0, gallery.ReplicaCompleted: 0, gallery.ReplicaFailed: 0, gallery.ReplicaRetiring: 0}
	for _, r := range v.ReplicasOfRegion(g.region) {
		states[r.State]++
	}
	for s, n := range states {
		tell(descReplicas, float64(n), string(s))
	}
	for _, s := range v.Stores(g.region) {
		tell(descStore, float64(s.Capacity.Free), s.Name, string(s.State))
	}
	g.collections(v, tell)
	g.checks(v, tell)
	left, rate := map[string]int64{}, map[string]float64{}
	all, _ := g.live.All()
	for _, d := range all {
		left[d.Source] += d.Left()
		rate[d.Source] += d.Rate
	}
	for source := range left {
		tell(descBytes, float64(left[source]), source)
		tell(descRate, rate[source], source)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
