package imports

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"loggia/api/authn"
	"loggia/api/data"
	"loggia/api/v1"
	"loggia/blobstore"
	"loggia/diskformat"
	"loggia/gallery"
	"loggia/internal/outgoing"
	"loggia/transfer/chunk"
	"loggia/transfer/image"
	"loggia/transfer/manifest"
	"loggia/transfer/publish"
)

// uploads is the space of names in which an upload's id follows from its import's: whoever goes on with an import goes on with its upload.
var uploads = uuid.MustParse("0d5b6a3c-3c3b-4a53-8f1b-6a4d8b1f3f5e")

// once tries to make the disk and returns the upload that has it.
func (l *Loop) once(ctx context.Context, j job) (gallery.UploadID, error) {
	// The right to read the source and to write the row was checked when the row was written; what is left is the node's own work.
	ctx = authn.With(ctx, authn.Principal{Name: "import"})
	id := gallery.UploadID(uuid.NewSHA1(uploads, []byte(j.imp.ID)).String())
	if row := l.o.State().Upload(id); row != nil && row.State == gallery.UploadCompleted {
		return id, nil
	}
	file, err := l.open(ctx, j)
	if err != nil {
		return "", err
	}
	defer file.Close()
	disk, err := l.disk(ctx, j, file)
	if err != nil {
		return "", err
	}
	defer disk.Close()
	return id, l.publish(ctx, v1.UploadRequest{ID: string(id), Size: disk.Size(), Kind: string(j.content), Target: j.target}, disk)
}

func (l *Loop) open(ctx context.Context, j job) (File, error) {
	if j.imp.Source != "" {
		return l.stored(ctx, j.imp.Source)
	}
	return l.o.Fetch.Open(ctx, &j.imp, l.o.TempDir)
}

// errNoCopy: the source is a disk of which this region has no copy, nor will have one.
var errNoCopy = errors.New("the source has no copy here")

// stored opens a disk of another domain. One that is on its way into this region may be read later.
func (l *Loop) stored(ctx context.Context, id gallery.DiskID) (File, error) {
	v := l.o.State()
	if v.Disk(id) == nil {
		return nil, fmt.Errorf("%w: it was deleted", errNoCopy)
	}
	var regions []string
	for _, r := range v.ReplicasOfDisk(id) {
		if r.Key.Region == l.o.Region {
			return l.o.Disk(ctx, id)
		}
		regions = append(regions, string(r.Key.Region))
	}
	slices.Sort(regions)
	return nil, fmt.Errorf("%w: it is in %s and not in %s; replicate it to there first", errNoCopy, strings.Join(slices.Compact(regions), ", "), l.o.Region)
}

// disk is the guest bytes of a file: of a stored disk and of a blob they are its bytes as they are. A
// compressed image is unpacked beside, where it may take half of what is free.
func (l *Loop) disk(ctx context.Context, j job, f File) (diskformat.Disk, error) {
	if j.content == gallery.ContentBlob || j.imp.Source != "" {
		return diskformat.Blob(f)
	}
	room, err := outgoing.Room(l.o.TempDir)
	if err != nil {
		return nil, err
	}
	return image.New(ctx, f, image.Options{MaxFile: l.o.MaxSize, Zstd: l.o.Zstd, TempDir: l.o.TempDir, Room: max(room, 1)})
}

func (l *Loop) publish(ctx context.Context, r v1.UploadRequest, disk diskformat.Disk) error {
	u, err := l.o.Uploads.Open(ctx, r)
	if err != nil || u.State == string(gallery.UploadCompleted) {
		return err
	}
	if u, err = l.o.Uploads.Take(ctx, r); err != nil || u.State == string(gallery.UploadCompleted) {
		return err
	}
	res, err := publish.Run(ctx, remote{l.o.Uploads, r.ID}, disk, publish.Options{Pool: l.o.Pool, TempDir: l.o.TempDir, Workers: 2})
	if err != nil {
		return err
	}
	_, err = l.o.Uploads.Commit(ctx, r.ID, v1.UploadCommit{Root: res.Root.String()})
	return err
}

// remote is an upload in this process.
type remote struct {
	u  data.Uploads
	id string
}

// Known implements publish.Remote.
func (r remote) Known(ctx context.Context, fn func(chunk.ID) error) error {
	return r.u.Known(ctx, r.id, fn)
}

// Spans implements publish.Remote.
func (r remote) Spans(ctx context.Context, fn func(manifest.SpanRef) error) error {
	return r.u.Spans(ctx, r.id, fn)
}

// Send implements publish.Remote.
func (r remote) Send(ctx context.Context, worker int, batch []byte) error {
	return r.u.Batch(ctx, r.id, worker, bytes.NewReader(batch))
}

// reasonOf says why an import failed, and whether trying again cannot help.
func reasonOf(err error) (gallery.Reason, bool) {
	for _, x := range []struct {
		err    error
		reason gallery.Reason
		final  bool
	}{
		{blobstore.ErrFull, gallery.ReasonStoreFull, false}, // before ErrLimit, as which an upload says it
		{outgoing.ErrForbidden, gallery.ReasonSourceForbidden, true}, {outgoing.ErrRefused, gallery.ReasonSourceForbidden, true},
		{blobstore.ErrForbidden, gallery.ReasonSourceForbidden, true},
		{outgoing.ErrInvalid, gallery.ReasonSourceInvalid, true}, {outgoing.ErrTooLarge, gallery.ReasonSourceInvalid, true},
		{outgoing.ErrContent, gallery.ReasonSourceInvalid, true}, {errNoCopy, gallery.ReasonSourceMissing, true},
		{outgoing.ErrMissing, gallery.ReasonSourceMissing, true}, {blobstore.ErrNotFound, gallery.ReasonSourceMissing, true},
		{diskformat.ErrEmpty, gallery.ReasonSourceInvalid, true}, {diskformat.ErrUnaligned, gallery.ReasonSourceInvalid, true},
		{diskformat.ErrFormat, gallery.ReasonSourceInvalid, true}, {diskformat.ErrTruncated, gallery.ReasonSourceInvalid, true},
		{diskformat.ErrInconsistent, gallery.ReasonSourceInvalid, true}, {diskformat.ErrExternal, gallery.ReasonSourceInvalid, true},
		{diskformat.ErrEncrypted, gallery.ReasonSourceInvalid, true}, {diskformat.ErrUnsupported, gallery.ReasonSourceInvalid, true},
		{diskformat.ErrTooLarge, gallery.ReasonSourceInvalid, true},
		{gallery.ErrLimit, gallery.ReasonSourceInvalid, true},
		{gallery.ErrVerification, gallery.ReasonVerification, false}, {outgoing.ErrNoRoom, gallery.ReasonStoreFull, false}, {image.ErrNoRoom, gallery.ReasonStoreFull, false},
		{blobstore.ErrUnavailable, gallery.ReasonUnreachable, false}, {gallery.ErrUnavailable, gallery.ReasonStoreUnavailable, false},
	} {
		if errors.Is(err, x.err) {
			return x.reason, x.final
		}
	}
	return gallery.ReasonUnreachable, false
}

// unsupported is for what a fetcher cannot do.
func unsupported(what string) error { return fmt.Errorf("%w: %s", outgoing.ErrForbidden, what) }
