package uploads

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"loggia/api/authn"
	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/node/proposal"
	"loggia/transfer/buffer"
	"loggia/transfer/frame"
	"loggia/transfer/intake"
)

// Reporter puts this node's reports into the log.
type Reporter interface {
	Report(ctx context.Context, c command.Command) (command.Result, error)
}

// Rights says what the caller of a context may do.
type Rights interface {
	// Upload says whether it may upload a disk for target: the canonical id of that, and whose the disk will be; named is
	// what the caller called it.
	Upload(ctx context.Context, target, named string) (string, gallery.TenantID, error)
	// Read says whether it may read a version.
	Read(ctx context.Context, g, i, v string) error
}

// Options is what Uploads needs.
type Options struct {
	Rights  Rights
	Self    gallery.NodeID
	Region  gallery.RegionName
	State   func() *state.View
	Reports Reporter
	Depot   *depot.Depot
	Find    func(v *state.View, g, i, number string, region gallery.RegionName) (*gallery.ImageVersion, error)
	Pool    *buffer.Pool // packs
	Scratch *buffer.Pool // frames being checked
	Decoder frame.Decompressor
	Encoder frame.Compressor
	TempDir string
	Now     func() time.Time
	Log     *slog.Logger
}

// The times of an upload. The claim is renewed with the node's other claims.
const (
	lease = 2 * time.Minute
	life  = 7 * 24 * time.Hour
	// idle is how long a session without a call is kept: then another node may take over
	// without a word, and the client finds what is durable.
	idle = 10 * time.Minute
	// look is how often sessions are looked at.
	look = 5 * time.Second
	// MaxSessions bounds the uploads that one node takes in at once: each holds buffers.
	MaxSessions = 8
)

// Uploads is safe for use by many goroutines.
type Uploads struct {
	o Options

	mu       sync.Mutex
	sessions map[gallery.UploadID]*session
	granted  map[gallery.UploadID]grant // claims of this process that no session uses yet
	closed   bool
}

type grant struct {
	epoch      uint64
	repository uint64
}

// session is an open upload. Its turn is held while it is opened, committed or closed.
type session struct {
	upload gallery.Upload
	epoch  grant
	turn   sync.Mutex
	in     *intake.Session // nil while it is being opened and after it was closed
	lease  *depot.Lease
	over   bool // it was taken out of the uploads: nobody would close what is opened in it now

	// Guarded by Uploads.mu.
	users int
	used  time.Time
}

// New returns no uploads; Run tends them.
func New(o Options) *Uploads {
	return &Uploads{o: o, sessions: map[gallery.UploadID]*session{}, granted: map[gallery.UploadID]grant{}}
}

// Run closes sessions that nobody uses, until ctx ends; then it closes them all.
func (u *Uploads) Run(ctx context.Context) error {
	t := time.NewTicker(look)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			u.sweep(idle)
			u.renew(ctx)
		case <-ctx.Done():
			u.mu.Lock()
			u.closed = true
			u.mu.Unlock()
			u.sweep(0)
			return nil
		}
	}
}

func (u *Uploads) sweep(older time.Duration) {
	u.mu.Lock()
	var old []*session
	for id, s := range u.sessions {
		if older == 0 || s.users == 0 && u.o.Now().Sub(s.used) > older {
			old = append(old, s)
			delete(u.sessions, id)
		}
	}
	u.mu.Unlock()
	for _, s := range old {
		u.shut(s)
	}
}

// renew takes new claims for this node's uploads whose repository a collector has changed since they were granted: what is condemned is
// deleted only when no older claim is left. A session that is open goes on under the new claim when its client comes back.
func (u *Uploads) renew(ctx context.Context) {
	v := u.o.State()
	for _, row := range v.OpenUploadsOfNode(u.o.Self) {
		if row.Claim.Epoch > v.Repository(row.Repository()).Epoch {
			continue
		}
		u.mu.Lock()
		s := u.sessions[row.ID]
		delete(u.sessions, row.ID)
		u.mu.Unlock()
		if s != nil {
			u.shut(s)
		}
		if _, err := u.o.Reports.Report(ctx, &command.UploadReopen{ID: row.ID, Node: u.o.Self, Lease: lease}); err != nil {
			u.o.Log.Info("an upload's claim was not renewed; it is tried again", "upload", row.ID, "error", err)
		}
	}
}

func (u *Uploads) shut(s *session) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.over = true
	if s.in == nil {
		return
	}
	if err := s.in.Close(); err != nil {
		u.o.Log.Warn("closing an upload failed; what is durable stays", "upload", s.upload.ID, "error", err)
	}
	s.in = nil
	s.lease.Release()
}

// Active says how many uploads are open here.
func (u *Uploads) Active() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.sessions)
}

// Open begins an upload, or returns the one under that id as it stands.
func (u *Uploads) Open(ctx context.Context, r v1.UploadRequest) (v1.Upload, error) {
	if !gallery.ValidID(r.ID) {
		return v1.Upload{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "id", Message: "must be a UUID in lower case"}
	}
	kind := gallery.ContentKind(r.Kind)
	if kind == "" {
		kind = gallery.ContentDisk
	}
	v := u.o.State()
	target := r.Target
	if row := v.Upload(gallery.UploadID(r.ID)); row != nil {
		target = row.Target
	}
	target, tenant, err := u.o.Rights.Upload(ctx, target, r.ID)
	if err != nil {
		return v1.Upload{}, err
	}
	bases, err := u.bases(ctx, v, r.Base)
	if err != nil {
		return v1.Upload{}, err
	}
	place, err := u.place(v, bases, r.Size)
	if err != nil {
		return v1.Upload{}, err
	}
	got, err := proposal.As[command.UploadGranted](u.o.Reports.Report(ctx, &command.UploadOpen{ID: gallery.UploadID(r.ID),
		Domain: gallery.DomainOf(tenant), Region: u.o.Region, Store: place, Node: u.o.Self, Content: kind, Size: r.Size, Lease: lease, Life: life,
		Principal: actor(ctx), Target: target}))
	if err != nil {
		return v1.Upload{}, err
	}
	if got.Upload.Target != target { // another opening of the id came first
		if _, _, err := u.o.Rights.Upload(ctx, got.Upload.Target, r.ID); err != nil {
			return v1.Upload{}, err
		}
	}
	if got.Upload.State == gallery.UploadOpen && got.Upload.Claim.Node == u.o.Self && len(got.Upload.Claim.Predecessors) == 0 {
		u.mu.Lock()
		if u.sessions[got.Upload.ID] == nil {
			u.granted[got.Upload.ID] = grant{got.Upload.Claim.Epoch, got.RepositoryEpoch}
		}
		u.mu.Unlock()
	}
	return u.describe(&got.Upload), nil
}

// actor is who asks, as the log remembers it.
func actor(ctx context.Context) string {
	p, _ := authn.From(ctx)
	return p.Actor()
}

// Get returns how an upload stands.
func (u *Uploads) Get(id string) (v1.Upload, error) {
	row := u.o.State().Upload(gallery.UploadID(id))
	if row == nil {
		return v1.Upload{}, &gallery.Error{Kind: gallery.ErrNotFound, Op: "get upload", Resource: id, Message: "does not exist, or has expired"}
	}
	return u.describe(row), nil
}

func (u *Uploads) describe(row *gallery.Upload) v1.Upload {
	out := v1.Upload{ID: string(row.ID), Region: string(row.Region), Node: string(row.Claim.Node), State: string(row.State),
		Size: row.Size, Epoch: row.Claim.Epoch, Expires: row.Expires, Disk: string(row.Disk)}
	if row.Disk != "" {
		if d := u.o.State().Disk(row.Disk); d != nil {
			out.Root = d.Root.String()
		}
	}
	u.mu.Lock()
	s := u.sessions[row.ID]
	u.mu.Unlock()
	if s != nil && s.turn.TryLock() {
		if s.in != nil {
			out.Stored = s.in.Durable()
		}
		s.turn.Unlock()
	}
	return out
}

// Abandon ends an upload without a disk.
func (u *Uploads) Abandon(ctx context.Context, id string) error {
	_, err := u.o.Reports.Report(ctx, &command.UploadAbandon{ID: gallery.UploadID(id)})
	u.mu.Lock()
	s := u.sessions[gallery.UploadID(id)]
	delete(u.sessions, gallery.UploadID(id))
	u.mu.Unlock()
	if s != nil {
		u.shut(s)
	}
	return err
}

// bases finds the disks that the client names: versions that it may read, whole in this region.
// What is not here is passed over: it only saves bytes.
func (u *Uploads) bases(ctx context.Context, v *state.View, names []string) ([]*gallery.Disk, error) {
	var out []*gallery.Disk
	for _, name := range names {
		ref, err := gallery.ParseVersionRef("", name)
		if err != nil {
			return nil, err
		}
		if err := u.o.Rights.Read(ctx, string(ref.Gallery), string(ref.Image), ref.Version.String()); err != nil {
			return nil, err
		}
		row, err := u.o.Find(v, string(ref.Gallery), string(ref.Image), ref.Version.String(), u.o.Region)
		if errors.Is(err, gallery.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, d := range row.Disks {
			if disk := v.Disk(d.Disk); disk != nil {
				out = append(out, disk)
			}
		}
	}
	return out, nil
}

// place chooses the store that takes the upload: the one that holds a base, else the one with most room.
func (u *Uploads) place(v *state.View, bases []*gallery.Disk, size int64) (gallery.StoreID, error) {
	for _, d := range bases {
		if r := u.copyOf(v, d.ID, ""); r != nil {
			return r.Store, nil
		}
	}
	var best *gallery.Store
	var why error
	for _, s := range v.Stores(u.o.Region) {
		if s.Class != gallery.ClassStandard || !u.o.Depot.Has(s.ID) {
			continue
		}
		if s.State != gallery.StoreOK {
			why = &gallery.Error{Kind: gallery.ErrUnavailable, Op: "publish", Resource: s.Name, Message: "the store is " + string(s.State) + ": " + s.Reason}
			continue
		}
		if best == nil || s.Capacity.Free > best.Capacity.Free {
			best = s
		}
	}
	if best != nil {
		return best.ID, nil
	}
	if why != nil {
		return "", why
	}
	return "", &gallery.Error{Kind: gallery.ErrUnavailable, Op: "publish", Message: "this node has no standard store"}
}

// copyOf returns a whole copy of a disk in the slot where uploads land, in a store of this node.
func (u *Uploads) copyOf(v *state.View, d gallery.DiskID, store gallery.StoreID) *gallery.Replica {
	for _, r := range v.ReplicasOfDisk(d) {
		if r.Key.Region == u.o.Region && r.Whole() && r.Key.Slot == gallery.FirstSlot(gallery.ClassStandard) &&
			(store == "" || r.Store == store) && u.o.Depot.Has(r.Store) {
			return r
		}
	}
	return nil
}

// roots are the manifests of the bases that lie in the upload's own repository.
func (u *Uploads) roots(v *state.View, bases []*gallery.Disk, in *gallery.Upload) []*gallery.Disk {
	return slices.DeleteFunc(slices.Clone(bases), func(d *gallery.Disk) bool {
		return d.Domain != in.Domain || u.copyOf(v, d.ID, in.Store) == nil
	})
}
