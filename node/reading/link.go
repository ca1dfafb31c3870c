package reading

import (
	"context"
	"io"
	"strings"
	"time"

	"loggia/api/links"
	"loggia/diskformat"
	"loggia/gallery"
	"loggia/transfer/repository"
)

// Disk is a stored disk that is read at random. It ends with the context it was opened with.
type Disk struct {
	*repository.Random
	release func()
}

// Close gives up what reading holds.
func (d *Disk) Close() error {
	d.release()
	return nil
}

// Disk opens a disk of which this region has a whole copy.
func (r *Reader) Disk(ctx context.Context, id gallery.DiskID) (*Disk, error) {
	row := r.o.State().Disk(id)
	if row == nil {
		return nil, &gallery.Error{Kind: gallery.ErrNotFound, Op: "read disk", Resource: string(id)}
	}
	view, err := r.view(ctx, row)
	if err != nil {
		return nil, err
	}
	random, err := view.Random(ctx, row.Root)
	if err != nil {
		view.Release()
		return nil, damaged(err)
	}
	return &Disk{random, view.Release}, nil
}

// Links opens what links to snapshots lead to.
type Links struct {
	Reader *Reader
	Now    func() time.Time
}

var _ links.Disks = Links{}

// Open implements links.Disks. The snapshot must still grant the access, so that a link can be taken back.
func (l Links) Open(ctx context.Context, ref gallery.SnapshotRef, access gallery.AccessID, raw bool) (links.File, error) {
	if err := l.Reader.o.Settle(ctx); err != nil {
		return links.File{}, err
	}
	s := l.Reader.o.State().Snapshot(ref)
	if s == nil || s.Disk == "" || !s.Granted(access, l.Now()) {
		return links.File{}, &gallery.Error{Kind: gallery.ErrNotFound, Op: "open link", Message: "the link is not valid, or is no longer"}
	}
	disk, err := l.Reader.Disk(ctx, s.Disk)
	if kind := gallery.KindOf(err); kind == gallery.ErrNotFound {
		return links.File{}, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "open link", Resource: string(s.Ref.Name), Message: "this region has no copy; ask region " + string(s.Location)}
	}
	if err != nil {
		return links.File{}, err
	}
	root := l.Reader.o.State().Disk(s.Disk).Root
	f := links.File{ReaderAt: disk, Size: disk.Size(), Name: string(s.Ref.Name) + ".raw", ETag: root.String() + ".raw", Made: s.Created, Release: disk.release}
	if raw {
		return f, nil
	}
	vhd, err := diskformat.NewFixedVHD(disk, disk.Size(), [16]byte(root[:16]), s.Created)
	if err != nil {
		disk.release()
		return links.File{}, err
	}
	f.ReaderAt, f.Size = io.ReaderAt(vhd), vhd.Size()
	f.Name, f.ETag = strings.TrimSuffix(f.Name, ".raw")+".vhd", root.String()+".vhd"
	return f, nil
}
