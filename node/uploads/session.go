package uploads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"loggia/api/v1"
	"loggia/blobstore"
	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/depot"
	"loggia/node/proposal"
	"loggia/transfer/chunk"
	"loggia/transfer/intake"
	"loggia/transfer/manifest"
	"loggia/transfer/wire"
)

// Take makes this node hold the upload: the session that is here goes on, else one is opened that adopts what
// earlier ones left on the store.
func (u *Uploads) Take(ctx context.Context, r v1.UploadRequest) (v1.Upload, error) {
	id := gallery.UploadID(r.ID)
	row := u.o.State().Upload(id)
	if row == nil {
		// The client's word may have come before the log's: opening twice opens once.
		if _, err := u.Open(ctx, r); err != nil {
			return v1.Upload{}, err
		}
		if row = u.o.State().Upload(id); row == nil {
			return u.Get(r.ID)
		}
	}
	if _, _, err := u.o.Rights.Upload(ctx, row.Target, r.ID); err != nil {
		return v1.Upload{}, err
	}
	if row.State != gallery.UploadOpen {
		return u.describe(row), nil
	}
	if row.Region != u.o.Region {
		return v1.Upload{}, &gallery.Error{Kind: gallery.ErrConflict, Op: "resume upload", Resource: r.ID,
			Message: fmt.Sprintf("belongs to region %s; this node is in %s", row.Region, u.o.Region)}
	}
	s, err := u.claim(id)
	if err != nil {
		return v1.Upload{}, err
	}
	defer u.leave(s)
	if err := u.begin(ctx, s, r, row); err != nil {
		u.drop(id, s)
		return v1.Upload{}, err
	}
	return u.Get(r.ID)
}

// claim returns the upload's session, an empty one where there is none.
func (u *Uploads) claim(id gallery.UploadID) (*session, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.sessions[id]
	if s == nil {
		if u.closed {
			return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "upload", Message: "the node is stopping"}
		}
		if len(u.sessions) >= MaxSessions {
			return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "upload", Message: fmt.Sprintf("this node has %d uploads open, its most; try again later", MaxSessions)}
		}
		s = &session{}
		u.sessions[id] = s
	}
	s.users++
	return s, nil
}

func (u *Uploads) leave(s *session) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s.users--
	s.used = u.o.Now()
}

func (u *Uploads) drop(id gallery.UploadID, s *session) {
	u.mu.Lock()
	if u.sessions[id] == s {
		delete(u.sessions, id)
	}
	u.mu.Unlock()
	u.shut(s)
}

// begin opens the session unless it is open under the claim that the log knows.
func (u *Uploads) begin(ctx context.Context, s *session, r v1.UploadRequest, row *gallery.Upload) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.over {
		return elsewhere(r.ID)
	}
	if s.in != nil && s.epoch.epoch == row.Claim.Epoch && !u.moved(s) {
		return nil
	}
	if s.in != nil {
		_ = s.in.Close()
		s.lease.Release()
		s.in = nil
	}
	got, err := u.grant(ctx, row)
	if err != nil {
		return err
	}
	v := u.o.State()
	up := got.Upload
	var skip func(string) bool
	if len(up.Claim.Predecessors) > 0 {
		if skip, err = u.o.Depot.Condemned(ctx, v.Repository(up.Repository())); err != nil {
			return storeError(err)
		}
	}
	view, err := u.o.Depot.Open(ctx, v.Repository(up.Repository()))
	if err != nil {
		return storeError(err)
	}
	bases, err := u.bases(ctx, v, r.Base)
	if err != nil {
		view.Release()
		return err
	}
	c := intake.Config{Repository: view.Repository, View: view.View, Epoch: up.Claim.Epoch, Predecessors: up.Claim.Predecessors, Skip: skip,
		Length: up.Size, Pool: u.o.Pool, Scratch: u.o.Scratch, Decoder: u.o.Decoder, Encoder: u.o.Encoder, TempDir: u.o.TempDir}
	for _, d := range u.roots(v, bases, &up) {
		c.Bases = append(c.Bases, d.Root)
	}
	in, err := intake.Open(ctx, c)
	if err != nil {
		view.Release()
		return storeError(err)
	}
	s.upload, s.epoch, s.in, s.lease = up, grant{up.Claim.Epoch, got.RepositoryEpoch}, in, view
	return nil
}

// moved says whether a collector has condemned keys that the session may rely on: it is opened anew then, and keeps what it has.
func (u *Uploads) moved(s *session) bool {
	return u.o.State().Repository(s.upload.Repository()).Epoch > s.epoch.repository
}

// grant returns the claim that this process was given and has not used, or supersedes the live one.
func (u *Uploads) grant(ctx context.Context, row *gallery.Upload) (command.UploadGranted, error) {
	u.mu.Lock()
	g, fresh := u.granted[row.ID]
	delete(u.granted, row.ID)
	u.mu.Unlock()
	if fresh && g.epoch == row.Claim.Epoch && g.repository == u.o.State().Repository(row.Repository()).Epoch {
		return command.UploadGranted{Upload: *row, RepositoryEpoch: g.repository}, nil
	}
	return proposal.As[command.UploadGranted](u.o.Reports.Report(ctx, &command.UploadReopen{ID: row.ID, Node: u.o.Self, Lease: lease}))
}

// use calls fn with the open session of an upload.
func (u *Uploads) use(id string, fn func(*session) error) error {
	u.mu.Lock()
	s := u.sessions[gallery.UploadID(id)]
	if s != nil {
		s.users++
	}
	u.mu.Unlock()
	if s == nil {
		return elsewhere(id)
	}
	defer u.leave(s)
	err := fn(s)
	if errors.Is(err, intake.ErrClosed) {
		return elsewhere(id)
	}
	var g *gallery.Error
	if err != nil && !errors.As(err, &g) {
		if _, lives := verdict(err); !lives {
			// Its writer has failed: the next session adopts what is durable.
			u.o.Log.Warn("upload session ended", "upload", id, "error", err)
			defer u.drop(gallery.UploadID(id), s)
		}
	}
	return storeError(err)
}

func elsewhere(id string) error {
	return &gallery.Error{Kind: gallery.ErrElsewhere, Op: "upload", Resource: id, Message: "is not open at this node; open it again"}
}

// open returns the session's intake.
func (s *session) open() (*intake.Session, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.in == nil {
		return nil, intake.ErrClosed
	}
	return s.in, nil
}

// Batch takes a batch in; worker is the client's who made it.
func (u *Uploads) Batch(ctx context.Context, id string, worker int, body io.Reader) error {
	return u.use(id, func(s *session) error {
		in, err := s.open()
		if err != nil {
			return err
		}
		return in.Batch(ctx, worker, body)
	})
}

// Known calls fn for the chunks that the client need not send.
func (u *Uploads) Known(ctx context.Context, id string, fn func(chunk.ID) error) error {
	return u.use(id, func(s *session) error {
		in, err := s.open()
		if err != nil {
			return err
		}
		return in.Known(ctx, fn)
	})
}

// Spans calls fn for the finished spans.
func (u *Uploads) Spans(ctx context.Context, id string, fn func(manifest.SpanRef) error) error {
	return u.use(id, func(s *session) error {
		in, err := s.open()
		if err != nil {
			return err
		}
		return in.Spans(ctx, fn)
	})
}

// Commit ends an upload: everything is made durable, and the log is told.
func (u *Uploads) Commit(ctx context.Context, id string, c v1.UploadCommit) (v1.Upload, error) {
	if up, err := u.Get(id); err != nil || up.State != string(gallery.UploadOpen) {
		return up, err
	}
	root, err := digest.Parse(c.Root)
	if err != nil {
		return v1.Upload{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "root", Message: err.Error()}
	}
	var flat digest.Digest
	if c.SHA256 != "" {
		if flat, err = digest.Parse(c.SHA256); err != nil {
			return v1.Upload{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "sha256", Message: err.Error()}
		}
	}
	var done *session
	var stale *session
	err = u.use(id, func(s *session) error {
		in, err := s.open()
		if err != nil {
			return err
		}
		res, err := in.Commit(ctx, root)
		if err != nil {
			return err
		}
		done = s
		if err = u.complete(ctx, s, res, flat); errors.Is(err, gallery.ErrStaleRepository) {
			stale = s
		}
		return err
	})
	if stale != nil { // the next session looks at the repository as it is now
		u.drop(gallery.UploadID(id), stale)
	}
	if err != nil {
		return v1.Upload{}, err
	}
	u.drop(gallery.UploadID(id), done)
	return u.Get(id)
}

// complete tells the log. Where no leader can be reached it waits: the bytes are safe, and the
// upload has until it expires.
func (u *Uploads) complete(ctx context.Context, s *session, res intake.Result, flat digest.Digest) error {
	c := &command.UploadComplete{ID: s.upload.ID, Epoch: s.epoch.epoch, RepositoryEpoch: s.epoch.repository,
		Disk: gallery.DiskID(uuid.NewSHA1(uuid.NameSpaceOID, []byte(s.upload.ID)).String()), Root: res.Root, Table: res.Table,
		Data: res.Data, Stored: res.Stored, FlatSHA256: flat, Add: depot.Segments(res.Segments), Remove: res.Remove}
	for {
		_, err := u.o.Reports.Report(ctx, c)
		if err == nil || !errors.Is(err, gallery.ErrNoLeader) && !errors.Is(err, gallery.ErrUnknownOutcome) && !errors.Is(err, gallery.ErrUnavailable) {
			return err
		}
		if row := u.o.State().Upload(s.upload.ID); row == nil || row.State != gallery.UploadOpen {
			return nil
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// refusals are what the client caused.
var refusals = []error{intake.ErrFrame, intake.ErrLeaf, intake.ErrBatch, intake.ErrPending, intake.ErrTooMuch, wire.ErrCorrupt, wire.ErrLimit, wire.ErrVersion}

// verdict says of what kind an error of the data path is, and whether the session outlives it.
func verdict(err error) (gallery.Kind, bool) {
	is := func(targets ...error) bool {
		return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
	}
	switch {
	case is(intake.ErrRoot, intake.ErrUnresolved):
		return gallery.ErrVerification, true
	case is(refusals...):
		return gallery.ErrInvalid, true
	case is(wire.ErrTruncated, context.Canceled):
		return gallery.ErrUnavailable, true
	case is(blobstore.ErrFull):
		return gallery.ErrLimit, false
	case is(blobstore.ErrUnavailable, blobstore.ErrThrottled, blobstore.ErrForbidden, blobstore.ErrDamaged):
		return gallery.ErrUnavailable, false
	}
	return gallery.ErrInternal, false
}

// storeError gives errors of the data path their kind.
func storeError(err error) error {
	var g *gallery.Error
	if err == nil || errors.As(err, &g) {
		return err
	}
	kind, _ := verdict(err)
	return &gallery.Error{Kind: kind, Op: "upload", Err: err}
}
