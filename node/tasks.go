package node

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"loggia/api/authn"
	"loggia/api/peer"
	"loggia/cluster/pki"
	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/internal/atomicfile"
	"loggia/internal/digest"
	"loggia/node/live"
)

func newUUID() string { return uuid.NewString() }

// firstToken makes the operator's access token: its text is left in a file of the founder, mode
// 0600, before the log takes its hash, so that no crash leaves a cluster without a way in.
func (n *Node) firstToken(propose func(command.Command) error) error {
	id := newUUID()
	text, hash := authn.NewToken(id)
	if err := atomicfile.Write(n.dir.TokenFile(), []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	err := propose(&command.AccessTokenPut{Token: gallery.AccessToken{ID: gallery.TokenID(id), Hash: hash, Name: "admin", Principal: "admin"}})
	if err == nil {
		n.log.Info("cluster founded", "cluster", n.id.Cluster, "token", n.dir.TokenFile())
	}
	return err
}

func (n *Node) caHash() digest.Digest {
	_, _, ca, err := n.dir.Keys()
	if err != nil {
		return digest.Digest{}
	}
	h, err := pki.HashPEM(ca)
	if err != nil {
		return digest.Digest{}
	}
	return h
}

// mingleEvery is how often a node that hears of fewer members than there are joins gossip anew.
const mingleEvery = 10 * time.Second

// mingle keeps this node in gossip: the log says where the others are.
func (n *Node) mingle(ctx context.Context) error {
	t := time.NewTicker(mingleEvery)
	defer t.Stop()
	for {
		var addrs []string
		for _, row := range n.m.View().Nodes("") {
			if row.ID != n.id.Node && row.GossipAddress != "" && n.gossip.State(string(row.ID)) != "alive" {
				addrs = append(addrs, row.GossipAddress)
			}
		}
		if len(addrs) > 0 {
			bounded, cancel := context.WithTimeout(ctx, mingleEvery)
			if err := n.gossip.Join(bounded, addrs); err != nil && ctx.Err() == nil {
				n.log.Debug("gossip was not joined", "error", err)
			}
			cancel()
		}
		v, watch := n.m.Watched()
		v.Nodes("")
		bounded, cancel := context.WithTimeout(ctx, mingleEvery)
		_ = watch.Wait(bounded) // a change or the time: both mean to look again
		cancel()
		select {
		case <-ctx.Done():
			return nil
		default:
		}
	}
}

// warmEvery is how often every voter is called: a new leader is then asked over a connection that
// stands, which saves two round trips when it counts.
const warmEvery = 5 * time.Second

// keepWarm keeps connections to all voters.
func (n *Node) keepWarm(ctx context.Context) error {
	t := time.NewTicker(warmEvery)
	defer t.Stop()
	for {
		servers, err := n.raft.servers()
		if err != nil {
			n.log.Debug("raft configuration", "error", err)
		}
		var calls sync.WaitGroup
		for _, s := range servers {
			if id := gallery.NodeID(s.ID); s.Voter && id != n.id.Node {
				calls.Go(func() {
					bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
					defer cancel()
					if _, err := n.peers.Term(bounded, id); err != nil {
						n.log.Debug("voter does not answer", "peer", id, "error", err)
					}
				})
			}
		}
		calls.Go(func() {
			if err := n.raft.raft.Warm(ctx); err != nil {
				n.log.Debug("no spare connection to a voter", "error", err)
			}
		})
		calls.Wait()
		changed := n.raft.raft.Changed()
		select {
		case <-t.C:
			continue
		case <-changed:
		case <-ctx.Done():
			return nil
		}
		// Right after a change the connections that stand are needed for work.
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// compareEvery is how often the state's hash is held against the leader's (M3).
const compareEvery = time.Minute

// compare holds this node's state against the leader's. A difference means that the machine is not the
// same on both: this node stops serving and says so.
func (n *Node) compare(ctx context.Context) error {
	t := time.NewTicker(compareEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		index, mine, ok := n.m.LatestHash()
		leader, known := n.raft.Leader()
		if !ok || !known || leader == n.id.Node {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
		theirs, err := n.peers.HashAt(bounded, leader, index)
		cancel()
		if err == nil && theirs != mine {
			n.die(&differs{index, mine, theirs, leader})
		}
	}
}

type differs struct {
	index        uint64
	mine, theirs digest.Digest
	leader       gallery.NodeID
}

func (d *differs) Error() string {
	return "the state differs from that of the leader " + string(d.leader) + ": at index " + strconv.FormatUint(d.index, 10) + " it is " + d.mine.Short() + ", the leader has " + d.theirs.Short()
}

// ownLive tells what this node's transfers do.
func ownLive(r *live.Registry) []peer.Live {
	all, _ := r.All()
	out := make([]peer.Live, 0, len(all))
	for _, d := range all {
		l := peer.Live{Disk: gallery.DiskID(d.Disk), Slot: d.Slot, Source: d.Source, Total: d.Total, Have: d.Have, Sent: d.Sent, Rate: d.Rate, Started: d.Started.Unix(),
			Still: max(0, d.At.Sub(d.Moved).Seconds()), Retries: d.Retries, Wasted: d.Wasted}
		for _, s := range d.Sources {
			l.Sources = append(l.Sources, peer.LiveSource{Name: s.Name, Bytes: s.Bytes, Rate: s.Rate, InFlight: s.InFlight, Failed: s.Failed})
		}
		if eta, ok := d.ETA(); ok {
			l.ETA = eta.Seconds()
		}
		out = append(out, l)
	}
	return out
}
