package node

import (
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

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("loggia_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descLeading, descCurrent, descApplied, descReplicas, descStore, descUploads, descBytes, descRate} {
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
