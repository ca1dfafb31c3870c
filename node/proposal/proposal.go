// Package proposal puts commands into the log, wherever the leader is.
package proposal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

// Log is this node's part in consensus.
type Log interface {
	// Propose returns what applying the entry gave on this node. Errors are gallery errors:
	// ErrNoLeader where this node does not lead (nothing was done), ErrUnknownOutcome where it
	// may or may not take effect.
	Propose(ctx context.Context, data []byte) (command.Result, error)
	// Leader returns the node that leads, as far as this one knows.
	Leader() (gallery.NodeID, bool)
	// WaitLeader blocks until a leader is known.
	WaitLeader(ctx context.Context) (gallery.NodeID, error)
	// While returns a context that ends, too, when another node leads.
	While(ctx context.Context, leader gallery.NodeID) (context.Context, context.CancelFunc)
	WaitApplied(ctx context.Context, index uint64) error
}

// Door is the leader's narrow door for the reports of nodes.
type Door interface {
	// Propose returns the leader's answer. Errors are gallery errors: the leader's own, ErrUnavailable where it was not reached (nothing was
	// done), ErrUnknownOutcome where it may have taken the report and no answer came.
	Propose(ctx context.Context, leader gallery.NodeID, data []byte) ([]byte, error)
}

// Proposer is safe for use by many goroutines.
type Proposer struct {
	Self gallery.NodeID
	Log  Log
	Door Door
	// Now is the time of the log where this node leads: other nodes' clocks do not count. It does not jump.
	Now func() time.Time
	// Version is what every member of the cluster understands, as far as this node knows; 0 before the founding.
	Version func() uint32
}

// understood refuses what some member might not understand: it would have to stop (M4).
func (p *Proposer) understood(h command.Header, c command.Command) error {
	need, have := command.Needs(h, c), max(p.Version(), 1)
	if need <= have {
		return nil
	}
	return &gallery.Error{Kind: gallery.ErrUnavailable, Op: c.Kind().String(),
		Message: fmt.Sprintf("it needs cluster version %d and the cluster has %d: some member runs an older release, or is not reached", need, have)}
}

// Propose puts a person's command into the log; this node must lead, and its clock gives the time. When it returns, the
// command has taken effect on this node.
func (p *Proposer) Propose(ctx context.Context, h command.Header, c command.Command) (command.Result, error) {
	h.Time = p.Now()
	if err := p.understood(h, c); err != nil {
		return command.Result{}, err
	}
	data, err := command.Encode(h, c)
	if err != nil {
		return command.Result{}, err
	}
	return p.Log.Propose(ctx, data)
}

// Report puts this node's own report into the log through the leader. When it returns, the report has
// taken effect on this node. A business failure is the error. Others are as with Log and Door: after ErrUnknownOutcome
// a report may be sent again, as its claim's epoch or its id makes it one.
func (p *Proposer) Report(ctx context.Context, c command.Command) (command.Result, error) {
	h := command.Header{Principal: "node " + string(p.Self), Time: p.Now()}
	if err := p.understood(h, c); err != nil {
		return command.Result{}, err
	}
	data, err := command.Encode(h, c)
	if err != nil {
		return command.Result{}, err
	}
	leader, err := p.Log.WaitLeader(ctx)
	if err != nil {
		return command.Result{}, err
	}
	res, err := p.send(ctx, leader, data)
	if err != nil {
		return res, fmt.Errorf("report %s: %w", c.Kind(), err)
	}
	if err := res.Failure(); err != nil {
		return res, err
	}
	return res, nil
}

func (p *Proposer) send(ctx context.Context, leader gallery.NodeID, data []byte) (command.Result, error) {
	if leader == p.Self {
		return p.Log.Propose(ctx, data)
	}
	during, over := p.Log.While(ctx, leader)
	out, err := p.Door.Propose(during, leader, data)
	over()
	if err != nil {
		return command.Result{}, err
	}
	res, err := command.DecodeResult(out)
	if err != nil {
		return res, err
	}
	return res, p.Log.WaitApplied(ctx, res.Index)
}

// reports are the kinds that a node may send of itself.
var reports = map[command.Kind]bool{
	command.KindStorePut: true, command.KindStoreSetState: true, command.KindRegionPut: true, command.KindNodeUpdate: true,
	command.KindUploadOpen: true, command.KindUploadReopen: true, command.KindUploadRenew: true,
	command.KindUploadAbandon: true, command.KindUploadComplete: true,
	command.KindReplicaClaim: true, command.KindReplicaCheckpoint: true, command.KindReplicaComplete: true,
	command.KindReplicaFail: true, command.KindReplicaRelease: true, command.KindReplicaMarkLost: true,
	command.KindRepositoryCompact: true, command.KindRepositoryCondemn: true, command.KindRepositorySwept: true,
	command.KindRepositoryClaim: true, command.KindRepositoryRelease: true, command.KindRepositoryChecked: true, command.KindRepositorySweep: true,
	command.KindSnapshotComplete: true, command.KindSnapshotFail: true, command.KindVersionImported: true, command.KindVersionImportFailed: true,
}

// Accept is the leader's side of Report: it refuses what is no report. The time is the leader's: a node whose clock is ahead would end claims and grace
// times of all others.
func (p *Proposer) Accept(ctx context.Context, from gallery.NodeID, data []byte) ([]byte, error) {
	e, err := command.Decode(data)
	if err != nil {
		return nil, &gallery.Error{Kind: gallery.ErrInvalid, Op: "accept report", Err: err}
	}
	if !reports[e.Kind] {
		return nil, &gallery.Error{Kind: gallery.ErrForbidden, Op: "accept report", Resource: string(from), Message: e.Kind.String() + " is no report of a node"}
	}
	if e.Operation != nil {
		return nil, &gallery.Error{Kind: gallery.ErrForbidden, Op: "accept report", Resource: string(from), Message: "a report starts no operation"}
	}
	if err := p.understood(e.Header, e.Body); err != nil {
		return nil, err
	}
	e.Time = p.Now()
	if data, err = command.Encode(e.Header, e.Body); err != nil {
		return nil, err
	}
	res, err := p.Log.Propose(ctx, data)
	if err != nil {
		return nil, err
	}
	return command.EncodeResult(res)
}

// As returns the value of a result.
func As[T any](res command.Result, err error) (T, error) {
	var zero T
	if err != nil {
		return zero, err
	}
	v, ok := res.Value.(*T)
	if !ok {
		return zero, errors.New("the log answered with another kind of result")
	}
	return *v, nil
}
