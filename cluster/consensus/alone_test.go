package consensus

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"loggia/testing/simnet"
)

// alone opens the only voter of a group on disk, and waits until it takes writes. What ends it goes
// to end.
func alone(t *testing.T, log *slog.Logger, end *fatals) *Node {
	t.Helper()
	host := simnet.New(1, rtt).Host("a")
	in, err := host.Listen("raft")
	if err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context, addr, _ string) (net.Conn, error) { return host.Dial(ctx, addr) }
	n, err := Open(t.Context(), Options{NodeID: "a", Address: "a:raft", Dir: t.TempDir(), RTT: rtt, Machine: newLedger(),
		Logger: log, Transport: StreamTransport(in, dial), OnFatal: end.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := n.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.WaitLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOutcomeOfAFailedWriteIsUnknown holds that nobody is told that nothing happened: what a disk kept
// of a write that failed is committed when the node starts again.
func TestOutcomeOfAFailedWriteIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var end fatals
		n := alone(t, discard, &end)
		if err := n.stores.close(); err != nil { // the disk goes away
			t.Fatal(err)
		}
		if _, _, err := n.Propose(t.Context(), []byte("x")); !errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("Propose: %v, want ErrUnknownOutcome", err)
		}
		end.mu.Lock()
		defer end.mu.Unlock()
		if len(end.errs) != 1 {
			t.Errorf("fatal: %v, want one", end.errs)
		}
	})
}

// TestDutiesThatAreDoneAreNotBegunAnew holds that a term has one scope, whatever else wakes a leader.
func TestDutiesThatAreDoneAreNotBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var end fatals
		var d duty
		n := alone(t, discard, &end)
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { _ = n.Lead(ctx, d.run("a", func(context.Context) error { return nil })) })
		synctest.Wait()
		n.note(raft.LeaderObservation{LeaderID: "a"}) // raft tells of the leader apart from leading
		synctest.Wait()
		if _, begun := d.look(); len(begun) != 1 {
			t.Errorf("duties were begun %d times in one term", len(begun))
		}
		cancel()
		work.Wait()
		end.none(t)
	})
}

// TestChangesOfLeaderAreNews holds that an operator sees them, other than raft's own talk.
func TestChangesOfLeaderAreNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var end fatals
		var out bytes.Buffer // the handler writes one record at a time
		alone(t, slog.New(slog.NewTextHandler(&out, nil)), &end)
		synctest.Wait()
		if got := strings.Count(out.String(), "level=INFO"); got != 1 || !strings.Contains(out.String(), "leader=a") {
			t.Errorf("log: %s\nwant one line of news, with leader=a", &out)
		}
	})
}
