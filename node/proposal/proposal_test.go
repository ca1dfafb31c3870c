package proposal

import (
	"context"
	"errors"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

// quiet is a log that takes everything.
type quiet struct{ taken int }

func (q *quiet) Propose(context.Context, []byte) (command.Result, error) {
	q.taken++
	return command.Result{Kind: command.KindExpireClaims}, nil
}
func (q *quiet) Leader() (gallery.NodeID, bool)                     { return "self", true }
func (q *quiet) WaitLeader(context.Context) (gallery.NodeID, error) { return "self", nil }
func (q *quiet) WaitApplied(context.Context, uint64) error          { return nil }
func (q *quiet) While(ctx context.Context, _ gallery.NodeID) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

const someID = "aaaaaaaa-0000-4000-8000-000000000001"

// TestUnderstood holds that nothing is proposed that an older member might not understand: neither a kind, nor a field, nor
// an operation (M4).
func TestUnderstood(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	old := &command.VersionDelete{Ref: gallery.VersionRef{ImageRef: gallery.ImageRef{GalleryRef: gallery.GalleryRef{Subscription: someID, Gallery: "g"}, Image: "i"}}}
	application := *old
	application.Ref.Kind = gallery.ArtifactApplication
	for _, x := range []struct {
		name    string
		cluster uint32
		h       command.Header
		c       command.Command
		ok      bool
	}{
		{"an old kind", 1, command.Header{Time: now}, old, true},
		{"before the founding", 0, command.Header{Time: now}, old, true},
		{"a new kind", 1, command.Header{Time: now}, &command.ExpireOperations{}, false},
		{"a new field", 1, command.Header{Time: now}, &application, false},
		{"an operation", 1, command.Header{Time: now, Operation: &gallery.OperationStart{ID: someID, Location: "a", Kind: gallery.OperationDelete, Resource: "/"}}, old, false},
		{"a new kind in a new cluster", 2, command.Header{Time: now}, &command.ExpireOperations{}, true},
		{"a new field in a new cluster", 2, command.Header{Time: now}, &application, true},
	} {
		log := &quiet{}
		p := &Proposer{Self: "self", Log: log, Now: func() time.Time { return now }, Version: func() uint32 { return x.cluster }}
		_, err := p.Propose(t.Context(), x.h, x.c)
		if x.ok != (err == nil) || !x.ok && !errors.Is(err, gallery.ErrUnavailable) || x.ok != (log.taken == 1) {
			t.Errorf("%s: %v, %d taken", x.name, err, log.taken)
		}
	}
}

// TestReports holds that a node's door takes reports alone.
func TestReports(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	snapshot := gallery.SnapshotRef{GroupRef: gallery.GroupRef{Subscription: someID, Group: "g"}, Name: "s"}
	operation := &gallery.OperationStart{ID: someID, Location: "a", Kind: gallery.OperationDelete, Resource: "/"}
	for _, x := range []struct {
		name string
		h    command.Header
		c    command.Command
		ok   bool
	}{
		{"an import that is done", command.Header{Time: now}, &command.SnapshotComplete{Ref: snapshot, Import: someID, Upload: someID}, true},
		{"an import that failed", command.Header{Time: now}, &command.SnapshotFail{Ref: snapshot, Import: someID, Reason: gallery.ReasonUnreachable}, true},
		{"a report with an operation", command.Header{Time: now, Operation: operation}, &command.SnapshotComplete{Ref: snapshot, Import: someID, Upload: someID}, false},
		{"a person's command", command.Header{Time: now}, &command.SnapshotDelete{Ref: snapshot}, false},
		{"a right", command.Header{Time: now}, &command.PrincipalSetDisabled{ID: someID}, false},
	} {
		log := &quiet{}
		p := &Proposer{Self: "self", Log: log, Now: func() time.Time { return now }, Version: func() uint32 { return 2 }}
		b, err := command.Encode(x.h, x.c)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		_, err = p.Accept(t.Context(), "other", b)
		if x.ok != (err == nil) || !x.ok && !errors.Is(err, gallery.ErrForbidden) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}
