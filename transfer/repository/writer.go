package repository

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/pack"
)

const (
	// dataBuffer and nodeBuffer are the most bytes of a pack; what is kept for its directory is
	// enough for 5,000 chunks. A pack with more of them is closed earlier.
	dataBuffer    = 8 << 20
	nodeBuffer    = 5 << 20 // holds a frame of frame.MaxPlain
	directoryRoom = 256 << 10

	defaultInFlight = 3
	// spillChunks is how many chunks of durable packs are indexed in memory (about 10 MB) before
	// they move to a local segment file.
	spillChunks = 1 << 16
	// idlePack is how long a pack that nothing is added to keeps its buffer while the pool is short.
	idlePack = 2 * time.Second
)

// ErrClosed is returned by a Writer that was closed.
var ErrClosed = errors.New("repository writer is closed")

// WriterOptions say how to write.
type WriterOptions struct {
	// Epoch is the claim's, under which every key of this Writer lies. No two Writers ever have
	// the same one, and a Writer that failed is not followed by another of its epoch.
	Epoch uint64
	// View is what is live; the Writer looks chunks up there too. It may be nil, is not closed
	// by the Writer, and stays open until the Writer is closed.
	View *View
	// Pool lends the buffers of packs. Where frames come out of ReadFrames or another holder of pool
	// memory, it is another pool than theirs, or both may wait for each other.
	Pool     *buffer.Pool
	InFlight int              // uploads at once: 3
	Encoder  frame.Compressor // for nodes that come through PutNode; nil stores them plain
}

// Writer fills packs under one claim. It is safe for many goroutines. After an error of the store
// every later call returns it: what was not durable is lost, and a successor adopts the rest.
//
// Order on the store: packs, then the segments that list them, then the version record.
type Writer struct {
	repo   *Repository
	opts   WriterOptions
	ctx    context.Context // of uploads; ends with the first error or Close
	cancel context.CancelCauseFunc
	slots  chan struct{} // one for each open pack
	turn   chan struct{} // held while a pack is opened
	work   sync.WaitGroup
	frames *frameCache
	nodes  *nodeFramer
	dir    string // of local segment files

	indexing sync.Mutex // held while segments are written; before mu

	mu       sync.RWMutex
	filling  map[stream]*openPack
	apart    bool                   // a pack of data was full: from now on streams have packs of their own
	open     map[*openPack]struct{} // filling or on their way
	pending  map[chunk.ID]place     // chunks of open packs
	recent   *index.Memory          // durable packs that no segment lists
	local    []localSegment         // durable packs in local files only, oldest first
	uploaded []ownSegment           // oldest first
	closed   bool

	stats struct{ frames, plain, stored, packs, objects, bytes atomic.Int64 }
}

// openPack is a pack that is not durable yet. Its fields and the bytes of its buffer are guarded by the Writer's mu; nothing of
// them is changed once it is on its way.
type openPack struct {
	stream
	buf     *buffer.Buffer
	builder *pack.Builder
	frames  []pack.Frame
	last    time.Time     // of the last Add
	done    chan struct{} // closed when it is durable or has failed
}

// place is a frame of an open pack.
type place struct {
	pack  *openPack
	frame int
}

type localSegment struct {
	file index.File
	open *index.Segment
}

type ownSegment struct {
	ref  SegmentRef
	open *index.Segment
}

// Stats counts what a Writer did.
type Stats struct {
	Frames, PlainBytes, StoredBytes int64 // of frames accepted
	Packs                           int64 // durable
	Objects, ObjectBytes            int64 // durable, of all kinds
}

// NewWriter starts a Writer, which is to be closed. Uploads end with ctx.
func (r *Repository) NewWriter(ctx context.Context, o WriterOptions) (*Writer, error) {
	if o.Pool == nil {
		return nil, errors.New("repository writer needs a pool")
	}
	if o.InFlight <= 0 {
		o.InFlight = defaultInFlight
	}
	w := &Writer{repo: r, opts: o, slots: make(chan struct{}, o.InFlight+2), turn: make(chan struct{}, 1),
		frames: newFrameCache(frameCacheSize), filling: make(map[stream]*openPack), open: make(map[*openPack]struct{}),
		pending: make(map[chunk.ID]place), recent: index.NewMemory()}
	var err error
	if w.dir, err = r.writerDir(); err != nil {
		return nil, err
	}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.nodes = newNodeFramer(w)
	w.work.Go(w.releaseIdle)
	return w, nil
}

// Epoch is the claim epoch of the Writer's keys.
func (w *Writer) Epoch() uint64 { return w.opts.Epoch }

// Add takes a frame whose chunks were verified: stored is the whole frame, id its SHA-256, plain its
// unpacked length. Frames that are likely to be read together have the same lane, or neighbouring ones: they come to lie side by side. See Lane.
// It waits for memory and for uploads, and keeps no reference to stored. When it
// returns the chunks can be looked up and read; they are durable after Flush. A frame that is too
// large for a pack is pack.ErrLimit and one that contradicts itself pack.ErrCorrupt: then the Writer goes on.
func (w *Writer) Add(ctx context.Context, kind pack.Kind, lane uint64, stored []byte, id digest.Digest, plain uint32, refs []chunk.Ref) error {
	for {
		ok, err := w.tryAdd(kind, lane, stored, id, plain, refs)
		if ok || err != nil {
			return err
		}
		if err := w.openPack(ctx, streamOf(kind, lane)); err != nil {
			return err
		}
	}
}

// tryAdd adds to the pack that is being filled. Where that is full, it goes on its way.
func (w *Writer) tryAdd(kind pack.Kind, lane uint64, stored []byte, id digest.Digest, plain uint32, refs []chunk.Ref) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failed(); err != nil {
		return false, err
	}
	p := w.into(streamOf(kind, lane))
	if p == nil {
		return false, nil
	}
	if !p.builder.Fits(len(stored), len(refs)) {
		if len(p.frames) == 0 {
			return false, fmt.Errorf("%w: frame of %d bytes and %d chunks", pack.ErrLimit, len(stored), len(refs))
		}
		w.send(p)
		return false, nil
	}
	at := p.builder.Len()
	if err := p.builder.Add(lane, stored, id, plain, refs); err != nil {
		return false, err
	}
	if p.builder.Len() == at {
		return true, nil // the pack holds it already
	}
	f := pack.Frame{ID: id, Offset: int64(at), Stored: uint32(len(stored)), Plain: plain, Chunks: append([]chunk.Ref(nil), refs...)}
	p.frames = append(p.frames, f)
	p.last = time.Now()
	for _, ref := range refs {
		w.pending[ref.ID] = place{p, len(p.frames) - 1}
	}
	w.stats.frames.Add(1)
	w.stats.plain.Add(int64(plain))
	w.stats.stored.Add(int64(len(stored)))
	return true, nil
}

// openPack makes sure that a pack of the stream is being filled.
func (w *Writer) openPack(ctx context.Context, s stream) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.ctx, func() { cancel(context.Cause(w.ctx)) })()
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	w.mu.Lock()
	there := w.into(s) != nil
	w.mu.Unlock()
	if there {
		return nil
	}
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	size := dataBuffer
	if s.kind == pack.Nodes {
		size = nodeBuffer
	}
	buf, err := w.opts.Pool.Get(ctx, size)
	if err != nil {
		<-w.slots
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("memory for a pack: %w", err)
	}
	p := &openPack{stream: s, buf: buf, builder: pack.New(buf.Bytes(), s.kind, size-directoryRoom), last: time.Now(), done: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failed(); err != nil {
		buf.Release()
		<-w.slots
		return err
	}
	w.filling[s] = p
	w.open[p] = struct{}{}
	return nil
}

// failed is the error that ended the Writer. w.mu is held.
func (w *Writer) failed() error {
	if w.closed {
		return ErrClosed
	}
	return context.Cause(w.ctx)
}

// send takes a pack with frames out of filling and uploads it. w.mu is held.
func (w *Writer) send(p *openPack) {
	delete(w.filling, p.stream)
	w.apart = w.apart || p.kind == pack.Data
	p.arrange()
	w.work.Go(func() { w.upload(p) })
}

// upload makes a pack durable and moves its chunks to the index.
func (w *Writer) upload(p *openPack) {
	id, object, dir, err := p.builder.Finish()
	if err == nil {
		err = w.put(w.repo.Keys.Pack(p.kind, w.opts.Epoch, id), object)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.stats.packs.Add(1)
		w.recent.Add(index.Pack{Kind: p.kind, Epoch: w.opts.Epoch, ID: id, Size: int64(len(object))}, dir)
	} else {
		w.cancel(fmt.Errorf("write pack: %w", err))
	}
	w.drop(p)
	if w.recent.Chunks() > spillChunks {
		w.work.Go(w.spillAside)
	}
}

// drop forgets an open pack, its bytes and its pending chunks. w.mu is held.
func (w *Writer) drop(p *openPack) {
	for _, f := range p.frames {
		for _, ref := range f.Chunks {
			if w.pending[ref.ID].pack == p {
				delete(w.pending, ref.ID)
			}
		}
	}
	delete(w.open, p)
	p.buf.Release()
	<-w.slots
	close(p.done)
}

func (w *Writer) put(key string, object []byte) error {
	w.repo.requests.Add(1)
	if err := w.repo.Store.Put(w.ctx, key, object); err != nil {
		return err
	}
	w.stats.objects.Add(1)
	w.stats.bytes.Add(int64(len(object)))
	return nil
}

// Flush makes everything that was added before the call durable.
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.nodes.flush(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	if err := w.failed(); err != nil {
		w.mu.Unlock()
		return err
	}
	for s, p := range w.filling {
		if len(p.frames) > 0 {
			w.send(p)
		} else {
			delete(w.filling, s)
			w.drop(p)
		}
	}
	var waits []chan struct{}
	for p := range w.open {
		waits = append(waits, p.done)
	}
	w.mu.Unlock()
	for _, done := range waits {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed()
}

// worthSending is the least of a pack's bytes for which Hasten makes a request.
const worthSending = dataBuffer / 4

// Hasten sends packs on their way that are full enough, as little more will come: so it is not them that Flush waits for at the end. It does not wait.
func (w *Writer) Hasten() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed() != nil {
		return
	}
	for _, p := range w.filling {
		if p.builder.Len() >= worthSending {
			w.send(p)
		}
	}
}

// releaseIdle sends packs that nobody adds to, while the pool is short of memory: whoever waits for
// it then waits for uploads only.
func (w *Writer) releaseIdle() {
	tick := time.NewTicker(idlePack / 2)
	defer tick.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case now := <-tick.C:
			if w.opts.Pool.Lent() <= w.opts.Pool.Budget()/2 {
				continue
			}
			w.mu.Lock()
			for _, p := range w.filling {
				if len(p.frames) > 0 && now.Sub(p.last) >= idlePack {
					w.send(p)
				}
			}
			w.mu.Unlock()
		}
	}
}

// Stats says what was done so far.
func (w *Writer) Stats() Stats {
	s := &w.stats
	return Stats{Frames: s.frames.Load(), PlainBytes: s.plain.Load(), StoredBytes: s.stored.Load(),
		Packs: s.packs.Load(), Objects: s.objects.Load(), ObjectBytes: s.bytes.Load()}
}

// Close ends uploads, waits for them and frees memory and local files. What Flush did not make
// durable is dropped. The segments that were uploaded stay in the cache directory.
func (w *Writer) Close() error {
	w.cancel(ErrClosed)
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.work.Wait()
	w.indexing.Lock()
	defer w.indexing.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.open {
		w.drop(p)
	}
	clear(w.filling)
	var errs []error
	for _, s := range w.local {
		errs = append(errs, s.open.Close())
	}
	for _, s := range w.uploaded {
		errs = append(errs, s.open.Close())
	}
	w.local, w.uploaded = nil, nil
	w.repo.dropWriterDir(w.dir)
	return errors.Join(errs...)
}
