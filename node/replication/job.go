package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"loggia/api/peer"
	"loggia/blobstore"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/node/live"
	"loggia/node/proposal"
	"loggia/transfer/replicate"
	"loggia/transfer/repository"
)

// errSuperseded ends a job whose claim another has taken; errMoved one whose repository a collector has changed: what it found there
// may be condemned.
var (
	errSuperseded = errors.New("the claim is no longer ours")
	errMoved      = errors.New("the repository's epoch has moved")
)

// job makes one replica, under one claim.
type job struct {
	l       *Loop
	row     *gallery.Replica
	cancel  context.CancelCauseFunc
	rank    atomic.Int64 // of the replica's priority now
	stopped bool         // guarded by l.mu

	mu      sync.Mutex
	claim   uint64 // epoch; 0 before it is granted
	relies  uint64 // epoch of the repository that it was granted with
	last    gallery.Progress
	source  string
	tracked *live.Transfer
}

func (j *job) epoch() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.claim
}

// moved says whether the job's claim, which is the live one, was granted before the repository's epoch.
func (j *job) moved(claim, repository uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.claim == claim && j.relies < repository
}

func (j *job) progress() (command.ClaimProgress, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return command.ClaimProgress{Epoch: j.claim, Progress: j.last, Source: j.source}, j.claim != 0
}

// run takes the replica as far as it goes now. What is left is the loop's next look.
func (j *job) run(ctx context.Context) {
	log := j.l.o.Log.With("disk", j.row.Key.Disk, "slot", j.row.Key.Slot)
	v := j.l.o.State()
	disk := v.Disk(j.row.Key.Disk)
	if disk == nil {
		return
	}
	sources := j.l.o.Sources.Of(v, disk, j.row.Key)
	if len(sources) == 0 {
		j.noSource(ctx)
		return
	}
	peeked := j.peek(ctx, disk, sources)
	granted, err := proposal.As[command.ReplicaGranted](j.l.o.Reports.Report(ctx, &command.ReplicaClaim{
		Replica: j.row.Key, Node: j.l.o.Self, Lease: Lease}))
	if err != nil {
		peeked(0)
		if !errors.Is(err, gallery.ErrClaimed) && ctx.Err() == nil {
			log.Warn("claim was not granted", "error", err)
			pause(ctx, time.Second)
		}
		return
	}
	j.mu.Lock()
	j.claim, j.relies = granted.Replica.Claim.Epoch, granted.RepositoryEpoch
	j.mu.Unlock()
	started := j.l.o.Now()
	err = j.copy(ctx, disk, granted, sources, peeked(peekGrace))
	switch {
	case err == nil:
		log.Info("replica completed", "took", j.l.o.Now().Sub(started).Round(time.Millisecond), "sent", j.last.Sent, "source", j.source)
	case errors.Is(context.Cause(ctx), errUnwanted):
		log.Info("replica left", "why", errUnwanted)
	case errors.Is(err, gallery.ErrStaleClaim), errors.Is(context.Cause(ctx), errSuperseded):
		log.Info("replica left to another node")
	case errors.Is(err, gallery.ErrStaleRepository), errors.Is(context.Cause(ctx), errMoved):
		log.Info("repository moved meanwhile; looking again")
		j.release()
	case ctx.Err() != nil:
		j.release()
		log.Info("replica rests", "why", context.Cause(ctx))
	default:
		j.fail(ctx, err)
		log.Warn("replica failed", "attempt", granted.Replica.Attempts, "error", err)
	}
}

// peekGrace is how long a job that has its claim waits for the beginning of the trees before it asks for that itself.
const peekGrace = time.Second

// peek reads the beginning of the disk's trees while the claim is asked for, which takes trips of its own. take ends it and returns what has come; it is to be
// called once.
func (j *job) peek(ctx context.Context, disk *gallery.Disk, sources []replicate.Source) (take func(wait time.Duration) *replicate.Peeked) {
	o := j.l.o
	ctx, cancel := context.WithCancel(peer.WithClass(ctx, j.class))
	done := make(chan *replicate.Peeked, 1)
	go func() {
		p, err := replicate.Peek(ctx, replicate.Options{Disk: identity(disk), Sources: sources, Speeds: o.Speeds, Pool: o.Scratch, Decoder: o.Decoder})
		if err != nil && ctx.Err() == nil {
			o.Log.Debug("the trees could not be looked at before the claim", "disk", disk.ID, "error", err)
		}
		done <- p
	}()
	return func(wait time.Duration) *replicate.Peeked {
		defer cancel()
		select {
		case p := <-done:
			return p
		case <-time.After(wait):
			cancel()
			return <-done
		}
	}
}

func identity(disk *gallery.Disk) replicate.Identity {
	return replicate.Identity{Root: disk.Root, Table: disk.Table}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// copy brings the bytes and tells the log.
func (j *job) copy(ctx context.Context, disk *gallery.Disk, g command.ReplicaGranted, sources []replicate.Source, peeked *replicate.Peeked) error {
	o := j.l.o
	v := o.State()
	row := v.Repository(g.Replica.Repository())
	view, err := o.Depot.Open(ctx, row)
	if err != nil {
		return err
	}
	defer view.Release()
	// Not ended by ctx: what came before a pause is made durable after it.
	w, err := view.NewWriter(context.WithoutCancel(ctx), repository.WriterOptions{Epoch: g.Replica.Claim.Epoch, View: view.View, Pool: o.Pool, Encoder: o.Encoder})
	if err != nil {
		return err
	}
	defer w.Close()
	adopt := append(append([]uint64(nil), g.Replica.Tried...), g.Replica.Claim.Predecessors...)
	var skip func(string) bool
	if len(adopt) > 0 {
		if skip, err = o.Depot.Condemned(ctx, row); err != nil {
			return err
		}
	}
	if _, err := w.Adopt(ctx, adopt, skip); err != nil {
		return fmt.Errorf("adopt earlier packs: %w", err)
	}
	j.tracked = o.Live.Begin(live.Key{Disk: string(disk.ID), Slot: j.row.Key.Slot})
	defer j.tracked.End()
	// Until the log knows of the copy: from then on it is whole, and not asked for pieces.
	share := replicate.NewShare(g.Replica.Claim.Epoch)
	defer o.Seeds.Begin(disk.ID, w, share).End()
	err = replicate.Run(peer.WithClass(ctx, j.class), replicate.NewTarget(view.View, w), replicate.Options{
		Disk: identity(disk), Peeked: peeked, Base: base(v, disk, &g.Replica),
		Sources: sources, Refresh: func() []replicate.Source { return o.Sources.Of(o.State(), disk, j.row.Key) },
		Region: string(o.Region), Share: share, Speeds: o.Speeds,
		TempDir: o.TempDir, Pool: o.Scratch, Decoder: o.Decoder, Progress: j.tell,
		Stall: usualStall + o.Patience()})
	if err != nil {
		j.keep(ctx, w)
		return err
	}
	segments, err := w.Finish(ctx, disk.Root, disk.Table, disk.Size)
	if err != nil {
		return err
	}
	add, remove, err := w.Tidy(ctx, segments)
	if err != nil {
		return err
	}
	return j.complete(ctx, disk, g, &command.ReplicaComplete{Stored: w.Stats().StoredBytes, Add: depot.Segments(add), Remove: remove})
}

// keepFor bounds how long a job that is to rest takes to keep what it has: a pack for each of its streams at most.
const keepFor = 20 * time.Second

// keep makes what a job that is to rest has got durable, so that the next claim adopts it. No byte comes from a source meanwhile.
func (j *job) keep(ctx context.Context, w *repository.Writer) {
	if why := context.Cause(ctx); !errors.Is(why, errPaused) && !errors.Is(why, errPreempted) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepFor)
	defer cancel()
	if err := w.Flush(ctx); err != nil {
		j.l.o.Log.Warn("a copy that rests lost what it had not stored yet", "replica", j.row.Key, "error", err)
	}
}

// usualStall is how long a source may be silent where nothing is limited.
const usualStall = time.Minute

// complete tells the log. The bytes are safe: it waits for a leader as long as the claim stands.
func (j *job) complete(ctx context.Context, disk *gallery.Disk, g command.ReplicaGranted, c *command.ReplicaComplete) error {
	c.Replica, c.Epoch, c.RepositoryEpoch = j.row.Key, g.Replica.Claim.Epoch, g.RepositoryEpoch
	c.Root, c.Table, c.Progress = disk.Root, disk.Table, j.last
	maybe := false // an earlier report may have taken effect: the next one finds no claim then
	for {
		_, err := j.l.o.Reports.Report(ctx, c)
		if err == nil || !passing(err) && !(maybe && errors.Is(err, gallery.ErrStaleClaim)) {
			return err
		}
		if now := j.l.o.State().Replica(j.row.Key); now == nil || now.Whole() {
			return nil
		}
		if !passing(err) {
			return err
		}
		maybe = maybe || errors.Is(err, gallery.ErrUnknownOutcome)
		pause(ctx, 500*time.Millisecond)
		if ctx.Err() != nil {
			return err
		}
	}
}

// passing says whether a report may succeed when it is sent again.
func passing(err error) bool {
	return errors.Is(err, gallery.ErrNoLeader) || errors.Is(err, gallery.ErrUnknownOutcome) || errors.Is(err, gallery.ErrUnavailable)
}

// base is the newest older disk of the same image that is whole in the same repository.
func base(v *state.View, disk *gallery.Disk, r *gallery.Replica) replicate.Identity {
	for _, version := range v.VersionsOfDisk(disk.ID) {
		siblings := v.Versions(version.Ref.ImageRef)
		for i := len(siblings) - 1; i >= 0; i-- {
			for _, d := range siblings[i].Disks {
				other := v.Replica(gallery.ReplicaKey{Disk: d.Disk, Region: r.Key.Region, Slot: r.Key.Slot})
				if d.Disk == disk.ID || other == nil || !other.Whole() || other.Store != r.Store {
					continue
				}
				if old := v.Disk(d.Disk); old != nil && old.Domain == disk.Domain {
					return replicate.Identity{Root: old.Root, Table: old.Table}
				}
			}
		}
	}
	return replicate.Identity{}
}

// tell passes progress on to whoever looks.
func (j *job) tell(p replicate.Progress) {
	j.tracked.Set(toldOf(p))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last = gallery.Progress{Total: p.Total, Have: p.Have, Sent: p.Sent, Left: p.Total - p.Have - p.Sent}
	if p.Source != "" {
		j.source = p.Source
	}
}

// toldOf is what the registry keeps of progress.
func toldOf(p replicate.Progress) live.Report {
	r := live.Report{Total: p.Total, Have: p.Have, Sent: p.Sent, Source: p.Source, Retries: p.Retries, Wasted: p.Wasted}
	for _, s := range p.Sources {
		r.Sources = append(r.Sources, live.Source{Name: s.Name, Bytes: s.Bytes, InFlight: s.InFlight, Failed: s.Failed})
	}
	return r
}

// release gives the claim back, also while the node stops: for a bounded time.
func (j *job) release() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if _, err := j.l.o.Reports.Report(ctx, &command.ReplicaRelease{Replica: j.row.Key, Epoch: j.epoch()}); err != nil {
		j.l.o.Log.Info("claim was not given back; it runs out by itself", "error", err)
	}
}

// noSource says so once, and then looks again now and then: a region may come back.
func (j *job) noSource(ctx context.Context) {
	if j.row.Claim != nil {
		j.mu.Lock()
		j.claim = j.row.Claim.Epoch
		j.mu.Unlock()
		j.fail(ctx, replicate.ErrNoSource)
		return
	}
	c := &command.ReplicaFail{Replica: j.row.Key, Final: true, Reason: gallery.ReasonNoSource,
		Error: "no region that can be asked holds a whole copy", NextRetry: j.l.o.Now().Add(30 * time.Second)}
	if _, err := j.l.o.Reports.Report(ctx, c); err != nil && ctx.Err() == nil {
		j.l.o.Log.Warn("failure was not reported", "error", err)
		pause(ctx, time.Second)
	}
}

func (j *job) fail(ctx context.Context, err error) {
	c := &command.ReplicaFail{Replica: j.row.Key, Epoch: j.epoch(), Reason: reason(err), Error: gallery.ErrorText(err.Error()),
		NextRetry: retry(j.l.o.Now(), j.row.Attempts), Progress: j.last}
	if _, err := j.l.o.Reports.Report(ctx, c); err != nil && ctx.Err() == nil {
		j.l.o.Log.Warn("failure was not reported", "error", err)
		pause(ctx, time.Second)
	}
}

// reasons turn what went wrong into what an operator can act on; the first that fits counts.
var reasons = []struct {
	err    error
	reason gallery.Reason
}{
	{blobstore.ErrFull, gallery.ReasonStoreFull},
	{blobstore.ErrForbidden, gallery.ReasonStoreForbidden},
	{repository.ErrDamaged, gallery.ReasonDamaged},
	{repository.ErrMissing, gallery.ReasonDamaged},
	{replicate.ErrLied, gallery.ReasonVerification},
	{blobstore.ErrUnavailable, gallery.ReasonStoreUnavailable},
	{blobstore.ErrThrottled, gallery.ReasonStoreUnavailable},
	{gallery.ErrUnavailable, gallery.ReasonUnreachable},
	{replicate.ErrNoSource, gallery.ReasonNoSource},
}

func reason(err error) gallery.Reason {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return gallery.ReasonInternal
}
