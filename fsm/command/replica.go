package command

import (
	"time"

	"loggia/gallery"
	"loggia/internal/digest"
)

func replicaDefs() []Def {
	return []Def{
		def[ReplicaClaim, *ReplicaClaim, ReplicaGranted](KindReplicaClaim, "replica.claim"),
		def[ReplicaCheckpoint, *ReplicaCheckpoint, Checkpointed](KindReplicaCheckpoint, "replica.checkpoint"),
		def[ReplicaComplete, *ReplicaComplete, gallery.Replica](KindReplicaComplete, "replica.complete"),
		def[ReplicaFail, *ReplicaFail, gallery.Replica](KindReplicaFail, "replica.fail"),
		def[ReplicaRelease, *ReplicaRelease, noValue](KindReplicaRelease, "replica.release"),
		def[ReplicaMarkLost, *ReplicaMarkLost, gallery.Replica](KindReplicaMarkLost, "replica.markLost"),
	}
}

// ReplicaClaim asks for the right to make a replica that is wanted and not whole; the epoch granted is the entry's index.
// ErrClaimed while another node's claim stands (only ExpireClaims ends it); a node supersedes its own at once.
// Its result is *ReplicaGranted.
type ReplicaClaim struct {
	Replica gallery.ReplicaKey `cbor:"1,keyasint"`
	Node    gallery.NodeID     `cbor:"2,keyasint"`
	Lease   time.Duration      `cbor:"3,keyasint"`
	Source  string             `cbor:"4,keyasint,omitempty"`
}

// ReplicaGranted is the replica with its claim, and the epoch of the repository it writes to.
type ReplicaGranted struct {
	Replica         gallery.Replica `cbor:"1,keyasint"`
	RepositoryEpoch uint64          `cbor:"2,keyasint,omitempty"`
}

// ClaimProgress tells how far the claim of an epoch has come.
type ClaimProgress struct {
	Epoch    uint64           `cbor:"1,keyasint"`
	Progress gallery.Progress `cbor:"2,keyasint,omitzero"`
	Source   string           `cbor:"3,keyasint,omitempty"`
}

// ReplicaCheckpoint renews every claim of a node, on replicas and uploads, listed or not, and keeps the progress
// that is listed: the one report of progress in the log (M8). Progress never goes backwards within an
// epoch (D6). Its result is *Checkpointed.
type ReplicaCheckpoint struct {
	Node   gallery.NodeID  `cbor:"1,keyasint"`
	Lease  time.Duration   `cbor:"2,keyasint"`
	Claims []ClaimProgress `cbor:"3,keyasint,omitempty"`
}

// MaxCheckpoint bounds the claims listed in one checkpoint.
const MaxCheckpoint = 256

// Checkpointed lists the epochs reported that are no claim of the node (D5): its workers stop.
type Checkpointed struct {
	Stale []uint64 `cbor:"1,keyasint,omitempty"`
}

// ReplicaComplete makes the replica Completed. ErrStaleClaim, ErrStaleRepository (D5) and ErrVerification (another root
// than the disk's) change nothing. Its result is the *gallery.Replica.
type ReplicaComplete struct {
	Replica         gallery.ReplicaKey `cbor:"1,keyasint"`
	Epoch           uint64             `cbor:"2,keyasint"`
	RepositoryEpoch uint64             `cbor:"3,keyasint,omitempty"`
	Root            digest.Digest      `cbor:"4,keyasint"`
	Table           digest.Digest      `cbor:"5,keyasint"`
	Stored          int64              `cbor:"6,keyasint,omitempty"` // bytes that this copy added
	Progress        gallery.Progress   `cbor:"7,keyasint,omitzero"`
	Add             []gallery.Segment  `cbor:"8,keyasint,omitempty"`
	Remove          []digest.Digest    `cbor:"9,keyasint,omitempty"`
}

// ReplicaFail ends a claim without success; the loop tries again from NextRetry. Its result is the *gallery.Replica.
type ReplicaFail struct {
	Replica   gallery.ReplicaKey `cbor:"1,keyasint"`
	Epoch     uint64             `cbor:"2,keyasint"`
	Reason    gallery.Reason     `cbor:"3,keyasint"`
	Error     string             `cbor:"4,keyasint,omitempty"` // at most gallery.MaxLastError bytes
	NextRetry time.Time          `cbor:"5,keyasint,omitzero"`
	Progress  gallery.Progress   `cbor:"6,keyasint,omitzero"`
	// Final ends a wait that never got a claim (an unreachable region): Epoch is 0 and the replica must have none.
	Final bool `cbor:"7,keyasint,omitempty"`
}

// ReplicaRelease gives a claim back, as in a planned stop, without a failure.
type ReplicaRelease struct {
	Replica gallery.ReplicaKey `cbor:"1,keyasint"`
	Epoch   uint64             `cbor:"2,keyasint"`
}

// ReplicaMarkLost puts a whole replica back to Unknown, because objects of it are lost or damaged. Where it was the last whole one,
// the disk's other replicas get NoSource. Its result is the *gallery.Replica.
type ReplicaMarkLost struct {
	Replica gallery.ReplicaKey `cbor:"1,keyasint"`
	Reason  gallery.Reason     `cbor:"2,keyasint"`
	Error   string             `cbor:"3,keyasint,omitempty"`
	// Spare has the last whole replica of a disk left as it is (D11): the error is ErrNotAllowed. So do repairs that nobody asked for.
	Spare bool `cbor:"4,keyasint,omitempty" since:"5"`
}

func (*ReplicaClaim) Kind() Kind      { return KindReplicaClaim }
func (*ReplicaCheckpoint) Kind() Kind { return KindReplicaCheckpoint }
func (*ReplicaComplete) Kind() Kind   { return KindReplicaComplete }
func (*ReplicaFail) Kind() Kind       { return KindReplicaFail }
func (*ReplicaRelease) Kind() Kind    { return KindReplicaRelease }
func (*ReplicaMarkLost) Kind() Kind   { return KindReplicaMarkLost }

// Check implements Command.
func (c *ReplicaClaim) Check() error {
	return first(checkReplica(c.Replica), checkID("node", c.Node), checkLease("lease", c.Lease, MaxLease), checkSource(c.Source))
}

// Check implements Command.
func (c *ReplicaCheckpoint) Check() error {
	if len(c.Claims) > MaxCheckpoint {
		return invalid("claims", "at most %d", MaxCheckpoint)
	}
	for _, p := range c.Claims {
		if err := first(positive("claims.epoch", p.Epoch), checkProgress(p.Progress), checkSource(p.Source)); err != nil {
			return err
		}
	}
	return first(checkID("node", c.Node), checkLease("lease", c.Lease, MaxLease))
}

// Check implements Command.
func (c *ReplicaComplete) Check() error {
	if c.Root.IsZero() || c.Table.IsZero() {
		return invalid("root", "root and table are required")
	}
	return first(checkReplica(c.Replica), positive("epoch", c.Epoch), checkBytes("stored", c.Stored), checkProgress(c.Progress), checkSegments(c.Add, c.Remove))
}

// Check implements Command.
func (c *ReplicaFail) Check() error {
	if c.Final != (c.Epoch == 0) {
		return invalid("epoch", "the claim's, or 0 with final")
	}
	if c.NextRetry.After(maxTime) {
		return invalid("nextRetry", "before %s", maxTime.Format(time.DateOnly))
	}
	return first(checkReplica(c.Replica), checkReason(c.Reason, c.Error), checkProgress(c.Progress))
}

// Check implements Command.
func (c *ReplicaRelease) Check() error {
	return first(checkReplica(c.Replica), positive("epoch", c.Epoch))
}

// Check implements Command.
func (c *ReplicaMarkLost) Check() error {
	return first(checkReplica(c.Replica), checkReason(c.Reason, c.Error))
}

func checkReason(r gallery.Reason, text string) error {
	if r == "" || len(r) > 64 {
		return invalid("reason", "1 to 64 bytes")
	}
	if len(text) > gallery.MaxLastError {
		return invalid("error", "at most %d bytes", gallery.MaxLastError)
	}
	return nil
}

func checkSource(s string) error {
	if len(s) > 256 {
		return invalid("source", "at most 256 bytes")
	}
	return nil
}

func checkProgress(p gallery.Progress) error {
	return first(checkBytes("progress.total", p.Total), checkBytes("progress.have", p.Have), checkBytes("progress.sent", p.Sent), checkBytes("progress.left", p.Left))
}
