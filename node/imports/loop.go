package imports

import (
	"context"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"time"

	"loggia/api/data"
	"loggia/diskformat"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/internal/backoff"
	"loggia/transfer/buffer"
)

// Reporter puts this node's reports into the log.
type Reporter interface {
	Report(ctx context.Context, c command.Command) (command.Result, error)
}

// Fetcher opens what an import names by URL.
type Fetcher interface {
	// Open opens the bytes. They end with ctx. dir is for a copy where one is needed.
	Open(ctx context.Context, i *gallery.Import, dir string) (File, error)
}

// File is bytes that are read at random.
type File interface {
	diskformat.Source
	Close() error
}

// Options is what a Loop needs.
type Options struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	Watched func() (*state.View, *state.Watch)
	State   func() *state.View
	Alive   func(gallery.NodeID) bool // by rumour; wrong only costs work
	Uploads data.Uploads
	Reports Reporter
	Fetch   Fetcher
	// Disk opens a stored disk, of whatever domain, for reading at random.
	Disk    func(ctx context.Context, id gallery.DiskID) (File, error)
	Pool    *buffer.Pool // for publishing
	Zstd    diskformat.Decompressor
	TempDir string
	MaxSize int64 // of what a compressed file unpacks to, in bytes; 0: what the largest disk may take
	Now     func() time.Time
	Log     *slog.Logger
}

// The pace of the loop.
const (
	atOnce   = 2
	patience = time.Hour // of trying, before an import is given up for a reason that may pass
	lookAt   = 30 * time.Second
)

// Loop makes the disks of one region's imports, those of this node's share.
type Loop struct {
	o Options

	mu      sync.Mutex
	running map[gallery.ImportID]context.CancelFunc
	slots   chan struct{}
}

// New returns a loop; Run makes it work.
func New(o Options) *Loop {
	return &Loop{o: o, running: map[gallery.ImportID]context.CancelFunc{}, slots: make(chan struct{}, atOnce)}
}

// job is one disk to make.
type job struct {
	imp      gallery.Import
	target   string // id of the row, in Azure's terms
	content  gallery.ContentKind
	complete func(gallery.UploadID) command.Command
	fail     func(gallery.Reason, string) command.Command
}

// Run looks, compares and works until ctx ends.
func (l *Loop) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		v, watch := l.o.Watched()
		l.reconcile(ctx, v, &work)
		bounded, cancel := context.WithTimeout(ctx, lookAt)
		_ = watch.Wait(bounded) // a change or the time: both mean to look again
		cancel()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// reconcile begins what is wanted and ends what no longer is.
func (l *Loop) reconcile(ctx context.Context, v *state.View, work *sync.WaitGroup) {
	wanted := map[gallery.ImportID]job{}
	for _, j := range jobs(v, l.o.Region) {
		if l.mine(v, j.imp.ID) {
			wanted[j.imp.ID] = j
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, stop := range l.running {
		if _, ok := wanted[id]; !ok {
			stop()
		}
	}
	for id, j := range wanted {
		if l.running[id] != nil {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		l.running[id] = stop
		work.Go(func() {
			defer l.ended(id, stop)
			select {
			case l.slots <- struct{}{}:
				defer func() { <-l.slots }()
				l.do(ctx, j)
			case <-ctx.Done():
			}
		})
	}
}

func (l *Loop) ended(id gallery.ImportID, stop context.CancelFunc) {
	stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, id)
}

// mine shares imports out among the region's nodes that seem to live.
func (l *Loop) mine(v *state.View, id gallery.ImportID) bool {
	var nodes []gallery.NodeID
	for _, n := range v.Nodes(l.o.Region) {
		if n.ID == l.o.Self || l.o.Alive(n.ID) {
			nodes = append(nodes, n.ID)
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return len(nodes) == 0 || nodes[int(h.Sum32())%len(nodes)] == l.o.Self
}

func jobs(v *state.View, region gallery.RegionName) []job {
	var out []job
	for _, s := range v.SnapshotsImporting(region) {
		out = append(out, job{imp: *s.Import, content: gallery.ContentDisk,
			target: "/subscriptions/" + string(s.Ref.Subscription) + "/resourceGroups/" + string(s.Ref.Group) + "/providers/Microsoft.Compute/snapshots/" + string(s.Ref.Name),
			complete: func(u gallery.UploadID) command.Command {
				return &command.SnapshotComplete{Ref: s.Ref, Import: s.Import.ID, Upload: u}
			},
			fail: func(r gallery.Reason, m string) command.Command {
				return &command.SnapshotFail{Ref: s.Ref, Import: s.Import.ID, Reason: r, Message: m}
			}})
	}
	for _, row := range v.VersionsImporting(region) {
		segment := "/images/"
		if row.Ref.Kind == gallery.ArtifactApplication {
			segment = "/applications/"
		}
		target := "/subscriptions/" + string(row.Ref.Subscription) + "/resourceGroups/" + string(row.ResourceGroup) + "/providers/Microsoft.Compute/galleries/" +
			string(row.Ref.Gallery) + segment + string(row.Ref.Image) + "/versions/" + row.Ref.Version.String()
		for _, i := range row.Imports {
			if i.Failed() {
				continue
			}
			out = append(out, job{imp: i.Import, target: target, content: row.Ref.Content(),
				complete: func(u gallery.UploadID) command.Command {
					return &command.VersionImported{Ref: row.Ref, Import: i.ID, Upload: u}
				},
				fail: func(r gallery.Reason, m string) command.Command {
					return &command.VersionImportFailed{Ref: row.Ref, Import: i.ID, Reason: r, Message: m}
				}})
		}
	}
	return out
}

// do works until the disk is there, the import is given up, or ctx ends.
func (l *Loop) do(ctx context.Context, j job) {
	log := l.o.Log.With("import", j.imp.ID, "for", j.target)
	waits := backoff.New(backoff.Policy{Base: time.Second, Max: time.Minute}, nil)
	for began := l.o.Now(); ; {
		upload, err := l.once(ctx, j)
		if err == nil {
			err = l.report(ctx, j.complete(upload))
		}
		switch {
		case err == nil:
			log.Info("imported")
			return
		case ctx.Err() != nil || !l.wanted(j.imp.ID):
			return
		}
		reason, final := reasonOf(err)
		if final || l.o.Now().Sub(began) > patience {
			log.Warn("import given up", "reason", reason, "error", err)
			if err := l.report(ctx, j.fail(reason, gallery.ErrorText(err.Error()))); err != nil && ctx.Err() == nil {
				log.Warn("its end was not reported; it will be tried again", "error", err)
			}
			return
		}
		log.Info("import failed; it is tried again", "error", err)
		if backoff.Sleep(ctx, waits.Next()) != nil {
			return
		}
	}
}

// wanted says whether the import still waits to be done.
func (l *Loop) wanted(id gallery.ImportID) bool {
	return slices.ContainsFunc(jobs(l.o.State(), l.o.Region), func(j job) bool { return j.imp.ID == id })
}

func (l *Loop) report(ctx context.Context, c command.Command) error {
	_, err := l.o.Reports.Report(ctx, c)
	return err
}
