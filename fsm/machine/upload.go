package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func uploadOpen(e *entry, c *command.UploadOpen) (*command.UploadGranted, error) {
	name := string(c.ID)
	if u := e.Upload(c.ID); u != nil {
		if u.Domain != c.Domain || u.Region != c.Region || u.Size != c.Size || u.Kind != c.Content {
			return nil, fail(gallery.ErrConflict, name, "another upload has this id")
		}
		return e.granted(u), nil
	}
	if err := e.nodeIn(c.Node, c.Region); err != nil {
		return nil, err
	}
	s := e.Store(c.Store)
	if s == nil || s.Region != c.Region {
		return nil, invalid(name, "store", "no store %s in region %q", c.Store, c.Region)
	}
	if s.State != gallery.StoreOK {
		return nil, fail(gallery.ErrUnavailable, name, "store %s is %s: %s", s.Name, s.State, s.Reason)
	}
	row := &gallery.Upload{ID: c.ID, Domain: c.Domain, Region: c.Region, Store: c.Store, Slot: gallery.FirstSlot(s.Class),
		Kind: c.Content, Size: c.Size, State: gallery.UploadOpen, Principal: e.Principal, Created: e.Now(), Expires: e.Now().Add(c.Life),
		Target: c.Target, Claim: gallery.Claim{Epoch: e.Index(), Node: c.Node, Deadline: e.Now().Add(c.Lease)}}
	if c.Principal != "" {
		row.Principal = c.Principal
	}
	state.Put(e.Tx, row)
	return e.granted(row), nil
}

func (e *entry) granted(u *gallery.Upload) *command.UploadGranted {
	return &command.UploadGranted{Upload: *u, RepositoryEpoch: e.Repository(u.Repository()).Epoch}
}

func uploadReopen(e *entry, c *command.UploadReopen) (*command.UploadGranted, error) {
	u := e.Upload(c.ID)
	if u == nil {
		return nil, notFound("upload", c.ID)
	}
	switch u.State {
	case gallery.UploadCompleted:
		return e.granted(u), nil
	case gallery.UploadAbandoned:
		return nil, fail(gallery.ErrConflict, string(c.ID), "the upload was abandoned")
	}
	if err := e.nodeIn(c.Node, u.Region); err != nil {
		return nil, err
	}
	row := *u
	row.Claim = gallery.Claim{Epoch: e.Index(), Node: c.Node, Deadline: e.Now().Add(c.Lease), Predecessors: remembered(u.Claim.Predecessors, u.Claim.Epoch)}
	state.Put(e.Tx, &row)
	return e.granted(&row), nil
}

// openUpload returns the upload of a report whose epoch is that of the live claim (D5).
func (e *entry) openUpload(id gallery.UploadID, epoch uint64) (*gallery.Upload, error) {
	u := e.Upload(id)
	if u == nil {
		return nil, notFound("upload", id)
	}
	if u.Claim.Epoch != epoch {
		return nil, fail(gallery.ErrStaleClaim, string(id), "claim %d is not the live one", epoch)
	}
	if u.State != gallery.UploadOpen {
		return nil, fail(gallery.ErrConflict, string(id), "the upload is %s", u.State)
	}
	return u, nil
}

func uploadRenew(e *entry, c *command.UploadRenew) (*gallery.Upload, error) {
	u, err := e.openUpload(c.ID, c.Epoch)
	if err != nil {
		return nil, err
	}
	row := *u
	row.Claim.Deadline = e.Now().Add(c.Lease)
	if c.Life > 0 {
		row.Expires = e.Now().Add(c.Life)
	}
	state.Put(e.Tx, &row)
	return &row, nil
}

func uploadAbandon(e *entry, c *command.UploadAbandon) (*none, error) {
	u := e.Upload(c.ID)
	if u == nil {
		return nil, notFound("upload", c.ID)
	}
	if u.State == gallery.UploadAbandoned {
		return nil, nil
	}
	epoch := c.Epoch
	if epoch == 0 {
		epoch = u.Claim.Epoch
	}
	u, err := e.openUpload(c.ID, epoch)
	if err != nil {
		return nil, err
	}
	e.abandon(u)
	return nil, nil
}

// abandon ends an open upload and tells the collector of what may lie in the store.
func (e *entry) abandon(u *gallery.Upload) {
	row := *u
	row.State = gallery.UploadAbandoned
	state.Put(e.Tx, &row)
	state.Put(e.Tx, &gallery.Tombstone{Repository: u.Repository(), Index: e.Index(), Disk: gallery.DiskID(u.ID), Time: e.Now()})
}

func uploadComplete(e *entry, c *command.UploadComplete) (*gallery.Upload, error) {
	if u := e.Upload(c.ID); u != nil && u.State == gallery.UploadCompleted && u.Disk == c.Disk {
		return u, nil
	}
	u, err := e.openUpload(c.ID, c.Epoch)
	if err != nil {
		return nil, err
	}
	name := string(c.ID)
	switch {
	case c.Size != 0 && c.Size != u.Size:
		return nil, fail(gallery.ErrVerification, name, "it has %d bytes, opened with %d", c.Size, u.Size)
	case c.Data > u.Size:
		return nil, invalid(name, "data", "at most the disk's size")
	case e.Disk(c.Disk) != nil:
		return nil, fail(gallery.ErrConflict, name, "disk %s exists already", c.Disk)
	}
	if err := e.changeSegments(u.Repository(), c.RepositoryEpoch, c.Add, c.Remove); err != nil {
		return nil, named(err, name)
	}
	row := *u
	row.State, row.Disk = gallery.UploadCompleted, c.Disk
	state.Put(e.Tx, &row)
	state.Put(e.Tx, &gallery.Disk{ID: c.Disk, Domain: u.Domain, Root: c.Root, Table: c.Table, Size: u.Size, Data: c.Data, Stored: c.Stored,
		Kind: u.Kind, FlatSHA256: c.FlatSHA256, Origin: u.Region, Created: e.Now()})
	state.Put(e.Tx, &gallery.Replica{Key: gallery.ReplicaKey{Disk: c.Disk, Region: u.Region, Slot: u.Slot}, Domain: u.Domain, Store: u.Store,
		State: gallery.ReplicaCompleted, Progress: gallery.Progress{Total: c.Stored, Sent: c.Stored}, Started: u.Created, Finished: e.Now(),
		Table: c.Table, Stored: c.Stored, Wanted: e.Now()})
	return &row, nil
}
