package node

import (
	"context"
	"io"
	"net/http"

	"loggia/api/peer"
	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/live"
	"loggia/node/reading"
	"loggia/node/seeding"
	"loggia/node/steering"
	"loggia/transfer/chunk"
	"loggia/transfer/replicate"
	"loggia/transfer/wire"
)

// peerService is what other nodes may ask of this one.
type peerService struct {
	n      *Node
	reader *reading.Reader
	seeds  *seeding.Registry
	live   *live.Registry
	steer  *steering.Steering
}

// Member implements peer.Service. A node that this one's state does not know yet may call, too, while
// this one is still catching up: its certificate is the cluster's.
func (p *peerService) Member(id gallery.NodeID) bool {
	v := p.n.m.View()
	return v.Cluster() == nil || v.Node(id) != nil || !p.n.raft.IsLeader()
}

func (p *peerService) Propose(ctx context.Context, from gallery.NodeID, data []byte) ([]byte, error) {
	return p.n.reports.Accept(ctx, from, data)
}

func (p *peerService) Term() uint64 { return p.n.raft.raft.CurrentTerm() }

func (p *peerService) Understands() uint32 { return command.CurrentVersion }

func (p *peerService) ReadIndex(ctx context.Context) (uint64, error) { return p.n.raft.ReadIndex(ctx) }

func (p *peerService) HashAt(i uint64) (digest.Digest, bool) { return p.n.m.HashAt(i) }

func (p *peerService) Live() []peer.Live { return ownLive(p.live) }

func (p *peerService) Frames(ctx context.Context, disk gallery.DiskID, want []chunk.ID, links bool, w *wire.Writer) error {
	return p.reader.DiskFrames(ctx, disk, want, links, w)
}

func (p *peerService) Have(ctx context.Context, disk gallery.DiskID, m replicate.Mark) replicate.Have {
	return p.seeds.Have(ctx, disk, m)
}

func (p *peerService) Outgoing(ctx context.Context, to gallery.NodeID, r peer.Asked, w io.Writer) (peer.Way, error) {
	return p.steer.Outgoing(ctx, to, r, w)
}

func (p *peerService) Shares(from gallery.NodeID, s peer.Shares) peer.Shares {
	return p.steer.Heard(from, s)
}

func (p *peerService) Forwarded() http.Handler {
	// The front is made after this: it is asked for when the request comes.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.n.front.Forwarded().ServeHTTP(w, r) })
}
