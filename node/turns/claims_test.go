package turns

import (
	"testing"
	"testing/synctest"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

// TestAClaimThatNobodyHasIsReturned: giving it back failed, and the node's checkpoints, which it makes for something else, do not keep it.
func TestAClaimThatNobodyHasIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		k := l.givenUp(1)
		c := &Claims{Self: aNode, Lease: time.Minute, Reports: l, Version: func() uint32 { return command.CurrentVersion }}
		row, err := c.Take(t.Context(), k, false, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Return(t.Context(), l.m.View()); err != nil || l.m.View().Repository(k).Claim == nil {
			t.Fatalf("what a duty has was given back: %v", err)
		}
		l.fail = gallery.ErrNoLeader
		if err := c.Release(k, row.Claim.Epoch, nil); err == nil {
			t.Fatal("given back without a leader")
		}
		l.fail = nil
		l.do(&command.ReplicaCheckpoint{Node: aNode, Lease: time.Minute})
		if l.m.View().Repository(k).Claim == nil {
			t.Fatal("it was gone before it was returned")
		}
		before := l.m.View()
		if err := c.Return(t.Context(), before); err != nil || l.m.View().Repository(k).Claim != nil {
			t.Errorf("it was not returned: %v", err)
		}
		// An old state is no reason to give back what was taken since.
		row, err = c.Take(t.Context(), k, true, true)
		if err != nil {
			t.Fatal(err)
		}
		c.drop(k)
		if err := c.Return(t.Context(), before); err != nil {
			t.Error(err)
		}
		if now := l.m.View().Repository(k).Claim; now == nil || now.Epoch != row.Claim.Epoch {
			t.Errorf("the newer claim: %+v", now)
		}
	})
}
