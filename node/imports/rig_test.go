package imports

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"loggia/api/data"
	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/manifest"
	"loggia/transfer/publish"
)

const (
	here = gallery.RegionName("here")
	self = gallery.NodeID("00000000-0000-4000-8000-000000000001")
	imp1 = gallery.ImportID("00000000-0000-4000-8000-000000000011")
	imp2 = gallery.ImportID("00000000-0000-4000-8000-000000000012")
	away = gallery.DiskID("00000000-0000-4000-8000-000000000021")
)

// rig is a region of one state, with uploads and reports that change it as the machine would.
type rig struct {
	t     *testing.T
	state *state.State

	mu       sync.Mutex
	index    uint64
	requests map[string]v1.UploadRequest
	roots    map[string]string // by upload
	done     []string          // reports, in order
	fetch    func(i *gallery.Import) (File, error)
	stored   func(id gallery.DiskID) (File, error)
	dead     map[gallery.NodeID]bool
}

var _ data.Uploads = (*rig)(nil)

func newRig(t *testing.T) *rig {
	r := &rig{t: t, state: state.New(), requests: map[string]v1.UploadRequest{}, roots: map[string]string{}, dead: map[gallery.NodeID]bool{}}
	put(r, &gallery.Node{ID: self, Region: here})
	return r
}

func put[T state.Row](r *rig, row *T) { r.write(func(tx *state.Tx) { state.Put(tx, row) }) }

func (r *rig) write(fn func(*state.Tx)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index++
	tx := r.state.Begin(r.index, 1, time.Time{})
	fn(tx)
	if err := tx.Commit(); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) reports() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.done)
}

var ref = gallery.SnapshotRef{GroupRef: gallery.GroupRef{Subscription: "00000000-0000-4000-8000-0000000000a1", Group: "rg"}, Name: "snap"}

// snapshot puts a snapshot that waits for its disk.
func (r *rig) snapshot(i gallery.Import) {
	put(r, &gallery.Snapshot{Ref: ref, Location: here, State: gallery.SnapshotCreating, Import: &i})
}

// start runs a loop of a node until the test ends.
func (r *rig) start(node gallery.NodeID) (stop func()) {
	dec, err := codec.NewDecoder(1)
	if err != nil {
		r.t.Fatal(err)
	}
	l := New(Options{Self: node, Region: here, State: r.state.View, Watched: func() (*state.View, *state.Watch) { return r.state.View().Watched() },
		Alive: func(id gallery.NodeID) bool { return !r.dead[id] }, Uploads: r, Reports: r, Fetch: fetcher{r},
		Disk: func(_ context.Context, id gallery.DiskID) (File, error) { return r.stored(id) },
		Pool: buffer.New(64 << 20), Zstd: dec, TempDir: r.t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	return func() { cancel(); <-ended; dec.Close() }
}

// file is bytes.
type file struct{ *bytes.Reader }

func of(b []byte) (File, error) { return file{bytes.NewReader(b)}, nil }

func (file) Close() error { return nil }

// Open implements Fetcher.
func (r fetcher) Open(_ context.Context, i *gallery.Import, _ string) (File, error) {
	return r.fetch(i)
}

type fetcher struct{ *rig }

// root is the content's identity.
func (r *rig) root(b []byte) string {
	res, err := publish.Root(r.t.Context(), plain(b), publish.Options{Pool: buffer.New(64 << 20), Workers: 2, TempDir: r.t.TempDir()})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.Root.String()
}

// plain is a disk of which nothing is known.
type plain []byte

func (p plain) Size() int64                                              { return int64(len(p)) }
func (p plain) ReadAt(b []byte, off int64) (int, error)                  { return bytes.NewReader(p).ReadAt(b, off) }
func (p plain) NextData(off int64) (int64, int64, error)                 { return off, p.Size(), nil }
func (r *rig) Abandon(context.Context, string) error                     { return nil }
func (r *rig) Known(context.Context, string, func(chunk.ID) error) error { return nil }
func (r *rig) Spans(context.Context, string, func(manifest.SpanRef) error) error {
	return nil
}

func (r *rig) Batch(_ context.Context, _ string, _ int, body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}

func (r *rig) Get(id string) (v1.Upload, error) {
	row := r.state.View().Upload(gallery.UploadID(id))
	if row == nil {
		return v1.Upload{}, &gallery.Error{Kind: gallery.ErrNotFound}
	}
	return v1.Upload{ID: id, State: string(row.State), Size: row.Size}, nil
}

func (r *rig) Open(_ context.Context, q v1.UploadRequest) (v1.Upload, error) {
	if r.state.View().Upload(gallery.UploadID(q.ID)) == nil {
		put(r, &gallery.Upload{ID: gallery.UploadID(q.ID), State: gallery.UploadOpen, Size: q.Size, Kind: gallery.ContentKind(q.Kind), Target: q.Target})
	}
	r.mu.Lock()
	r.requests[q.ID] = q
	r.mu.Unlock()
	return r.Get(q.ID)
}

func (r *rig) Take(_ context.Context, q v1.UploadRequest) (v1.Upload, error) { return r.Get(q.ID) }

func (r *rig) Commit(_ context.Context, id string, c v1.UploadCommit) (v1.Upload, error) {
	row := *r.state.View().Upload(gallery.UploadID(id))
	row.State, row.Disk = gallery.UploadCompleted, gallery.DiskID(id)
	put(r, &row)
	r.mu.Lock()
	r.roots[id] = c.Root
	r.mu.Unlock()
	return r.Get(id)
}

// Report implements Reporter: it does to the rows what matters to the loop.
func (r *rig) Report(_ context.Context, c command.Command) (command.Result, error) {
	var result string
	r.write(func(tx *state.Tx) {
		switch c := c.(type) {
		case *command.SnapshotComplete:
			row := *tx.Snapshot(c.Ref)
			row.Import, row.State, row.Disk = nil, gallery.SnapshotSucceeded, tx.Upload(c.Upload).Disk
			state.Put(tx, &row)
			result = "snapshot " + r.roots[string(c.Upload)]
		case *command.SnapshotFail:
			row := *tx.Snapshot(c.Ref)
			i := *row.Import
			i.Reason, i.Message = c.Reason, c.Message
			row.Import, row.State = &i, gallery.SnapshotFailed
			state.Put(tx, &row)
			result = "failed " + string(c.Reason)
		case *command.VersionImported:
			row := *tx.Version(c.Ref)
			var rest []gallery.DiskImport
			for _, i := range row.Imports {
				if i.ID != c.Import {
					rest = append(rest, i)
				}
			}
			row.Imports = rest
			state.Put(tx, &row)
			result = string(c.Import) + " " + r.roots[string(c.Upload)]
		default:
			r.t.Errorf("unexpected report %T", c)
		}
	})
	r.mu.Lock()
	r.done = append(r.done, result)
	r.mu.Unlock()
	return command.Result{}, nil
}
