// Package status puts together what the log knows of every replica with what the transfers are doing right now.
package status

import (
	"context"
	"sync"
	"time"

	"loggia/api/peer"
	"loggia/api/v1"
	"loggia/fsm/state"
	"loggia/gallery"
)

// Peers asks other nodes for their transfers.
type Peers interface {
	Live(ctx context.Context, node gallery.NodeID) ([]peer.Live, error)
}

// Metadata is the part of the service that is shown here, too.
type Metadata interface {
	Regions(ctx context.Context) ([]v1.Region, error)
	Members(ctx context.Context) ([]v1.Member, error)
	Limits(ctx context.Context) ([]v1.Limit, error)
	Find(v *state.View, g, i, number string, region gallery.RegionName) (*gallery.ImageVersion, error)
	Settle(ctx context.Context, consistency string) (time.Duration, bool, error)
}

// Options is what a Board needs.
type Options struct {
	Self     gallery.NodeID
	Region   gallery.RegionName
	Version  string // of the binary
	Watched  func() (*state.View, *state.Watch)
	State    func() *state.View
	Metadata Metadata
	Leader   func() (gallery.NodeID, bool)
	Own      func() []peer.Live
	Peers    Peers
	Ready    func() error
	Now      func() time.Time
}

// Board implements the service of package api/status. It is safe for use by many goroutines.
type Board struct {
	o Options

	mu   sync.Mutex
	seen map[gallery.NodeID]sighting // what nodes last said of themselves
}

type sighting struct {
	live []peer.Live
	at   time.Time
}

// New returns a board.
func New(o Options) *Board { return &Board{o: o, seen: map[gallery.NodeID]sighting{}} }

// Ready says why the node cannot serve.
func (b *Board) Ready() error { return b.o.Ready() }

// Status implements status.Service.
func (b *Board) Status(ctx context.Context) (v1.Status, error) {
	if _, _, err := b.o.Metadata.Settle(ctx, ""); err != nil {
		return v1.Status{}, err
	}
	v := b.o.State()
	out := v1.Status{Region: string(b.o.Region), Node: string(b.o.Self), Version: b.o.Version, Applied: v.Index(), Versions: []v1.VersionStatus{}}
	if c := v.Cluster(); c != nil {
		out.Cluster, out.Tenant, out.Subscription = string(c.ID), string(c.Tenant), string(c.Subscription)
	}
	if l, ok := b.o.Leader(); ok {
		out.Leader = string(l)
	}
	var err error
	if out.Regions, err = b.o.Metadata.Regions(ctx); err != nil {
		return out, err
	}
	if out.Members, err = b.o.Metadata.Members(ctx); err != nil {
		return out, err
	}
	if out.Limits, err = b.o.Metadata.Limits(ctx); err != nil {
		return out, err
	}
	live := b.live(ctx, v)
	for _, row := range v.AllVersions() {
		out.Versions = append(out.Versions, b.version(v, row, live))
	}
	return out, nil
}

// Version implements status.Service.
func (b *Board) Version(ctx context.Context, g, i, number string) (v1.VersionStatus, error) {
	if _, _, err := b.o.Metadata.Settle(ctx, ""); err != nil {
		return v1.VersionStatus{}, err
	}
	v := b.o.State()
	row, err := b.o.Metadata.Find(v, g, i, number, b.o.Region)
	if err != nil {
		return v1.VersionStatus{}, err
	}
	return b.version(v, row, b.live(ctx, v)), nil
}

// version describes a version with the live detail of its transfers.
func (b *Board) version(v *state.View, row *gallery.ImageVersion, live map[gallery.ReplicaKey]detail) v1.VersionStatus {
	regions := v.VersionStatus(row)
	out := v1.VersionStatus{Gallery: string(row.Ref.Gallery), Image: string(row.Ref.Image), Name: row.Ref.Version.String(),
		State: string(gallery.Aggregate(regions)), Regions: []v1.RegionStatus{}}
	luns := map[gallery.DiskID]int{}
	for _, d := range row.Disks {
		out.Size += d.SizeBytes
		luns[d.Disk] = d.LUN
	}
	for _, r := range regions {
		rs := v1.RegionStatus{Region: string(r.Region), State: string(r.State), Progress: r.Progress, Replicas: []v1.Replica{}}
		for _, p := range r.Replicas {
			rs.Replicas = append(rs.Replicas, b.replica(v, p, luns[p.Key.Disk], live))
		}
		out.Regions = append(out.Regions, rs)
	}
	return out
}

// replica describes one copy: the log's word, and over it the worker's, if that is about the same.
func (b *Board) replica(v *state.View, p gallery.Replica, lun int, live map[gallery.ReplicaKey]detail) v1.Replica {
	out := v1.Replica{Disk: string(p.Key.Disk), LUN: lun, Slot: p.Key.Slot, State: string(p.State), Total: p.Progress.Total, Have: p.Progress.Have,
		Sent: p.Progress.Sent, Left: p.Progress.Left, Source: p.Source, Attempts: p.Attempts, Reason: string(p.Reason), LastError: p.LastError,
		NextRetry: p.NextRetry, Started: p.Started, Finished: p.Finished}
	if s := v.Store(p.Store); s != nil {
		out.Store = s.Name
	}
	if p.Claim != nil {
		out.Node = string(p.Claim.Node)
	}
	if p.Whole() {
		out.Left = 0
		if out.Total == 0 {
			out.Total = p.Stored // it was uploaded here
			out.Sent = p.Stored
		}
		return out
	}
	d, ok := live[p.Key]
	if ok {
		worker(&out, d)
		b.explain(v, p, &d, &out)
	} else {
		b.explain(v, p, nil, &out)
	}
	return out
}

// worker puts what a worker says over the log's word.
func worker(out *v1.Replica, d detail) {
	out.Total, out.Have, out.Sent = d.Total, d.Have, d.Sent
	out.Left = max(0, d.Total-d.Have-d.Sent)
	out.Rate, out.ETA = d.Rate, d.ETA
	out.Retries, out.Wasted = d.Retries, d.Wasted
	if d.Source != "" {
		out.Source = d.Source
	}
	for _, s := range d.Sources {
		out.Sources = append(out.Sources, v1.ReplicaSource{Name: s.Name, Bytes: s.Bytes, Rate: s.Rate, InFlight: s.InFlight, Failed: s.Failed})
	}
	if d.age > time.Second {
		out.Age = d.age.Seconds()
	}
}

// Notes says in words how the copies of a version stand that are not whole.
func (b *Board) Notes(ctx context.Context, row *gallery.ImageVersion) map[gallery.ReplicaKey]string {
	v := b.o.State()
	live := b.live(ctx, v)
	out := map[gallery.ReplicaKey]string{}
	for _, r := range v.VersionStatus(row) {
		for _, p := range r.Replicas {
			if !p.Whole() {
				out[p.Key] = note(b.replica(v, p, 0, live))
			}
		}
	}
	return out
}
