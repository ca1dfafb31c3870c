package upkeep

import (
	"context"

	"loggia/fsm/command"
	"loggia/gallery"
)

// operations ends those whose time is over and forgets the old ones.
func (l *Leader) operations(ctx context.Context) error {
	v, _ := l.o.Watched()
	now := l.o.Now()
	if len(v.OperationsDue(now, 1)) == 0 && len(v.OperationsEnded(now.Add(-gallery.OperationHistory), 1)) == 0 {
		return nil
	}
	return l.propose(ctx, &command.ExpireOperations{})
}

// groups goes on with the resource groups that are being deleted, until they are gone.
func (l *Leader) groups(ctx context.Context) error {
	v, _ := l.o.Watched()
	for _, g := range v.GroupsDeleting() {
		if err := l.sweep(ctx, g.Ref); err != nil {
			return err
		}
	}
	return nil
}

func (l *Leader) sweep(ctx context.Context, ref gallery.GroupRef) error {
	for {
		res, err := l.o.Log.Propose(ctx, command.Header{Principal: "upkeep", Time: l.o.Now()}, &command.GroupSweep{Ref: ref})
		if err != nil {
			return err
		}
		if err := res.Failure(); err != nil {
			return err
		}
		if out, ok := res.Value.(*command.GroupDeleted); !ok || !out.More {
			return nil
		}
	}
}

// version raises the cluster version to what every member says that it understands (M4). While one does not answer, or answers as
// an older release does, nothing changes.
func (l *Leader) version(ctx context.Context) error {
	v, _ := l.o.Watched()
	c := v.Cluster()
	if c == nil || c.Version >= command.CurrentVersion {
		return nil
	}
	lowest := uint32(command.CurrentVersion)
	for _, n := range v.Nodes("") {
		has, err := l.o.Understands(ctx, n.ID)
		if err != nil {
			l.o.Logger.Debug("the cluster version stays", "asked", n.ID, "error", err)
			return nil
		}
		lowest = min(lowest, has)
	}
	if lowest <= c.Version {
		return nil
	}
	l.o.Logger.Info("every member understands a newer cluster version", "version", lowest)
	return l.propose(ctx, &command.ClusterSetVersion{Version: lowest})
}
