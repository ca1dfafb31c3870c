package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
)

// The reasons why a chunk cannot be had. They are looked for in a repository that says it holds it:
// repair is called for.
var (
	// ErrMissing: no live segment knows the chunk, or the pack that it names is gone (then
	// blobstore.ErrNotFound is in the error too).
	ErrMissing = errors.New("chunk is missing")
	// ErrDamaged: stored bytes are not what their digest says.
	ErrDamaged = errors.New("stored bytes are damaged")
)

// Options are what a Repository is made of.
type Options struct {
	Store blobstore.Store // with its decorators: nothing is tried again here
	Keys  Keys
	// Cache is the directory of the local segment files, of this repository alone. It is made if
	// it is not there, and can be lost.
	Cache   string
	Pool    *buffer.Pool       // lends the buffers of reads
	Decoder frame.Decompressor // unpacks frames
}

// Validate says what is missing.
func (o Options) Validate() error {
	if o.Store == nil || o.Keys == (Keys{}) || o.Cache == "" || o.Pool == nil || o.Decoder == nil {
		return errors.New("repository needs a store, keys, a cache directory, a pool and a decoder")
	}
	return nil
}

// Repository reads and writes one repository. It is safe for many goroutines and needs no closing.
// There is one for each cache directory.
type Repository struct {
	Options
	requests atomic.Int64
	local    *local
}

// local is what is known of the cache directory.
type local struct {
	mu      sync.Mutex
	writers map[string]bool // directories of open Writers
}

// New makes a Repository; it touches nothing but the cache directory.
func New(o Options) (*Repository, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("make index cache: %w", err)
	}
	return &Repository{Options: o, local: &local{writers: make(map[string]bool)}}, nil
}

// Over returns the same repository with its requests going to another decorator of its store, as to a slower one.
// Both share the cache directory.
func (r *Repository) Over(s blobstore.Store) *Repository {
	o := r.Options
	o.Store = s
	return &Repository{Options: o, local: r.local}
}

// Requests is the number of requests made to the store so far; a listing counts once.
func (r *Repository) Requests() int64 { return r.requests.Load() }

// SegmentRef names an index segment, as the log does.
type SegmentRef struct {
	Epoch  uint64
	ID     digest.Digest
	Size   int64 // bytes
	Chunks int64
}

// ReadFrame reads the frame that loc points into, into buf where that is large enough, and checks
// its id. Errors: ErrDamaged, ErrMissing, or the store's.
func (r *Repository) ReadFrame(ctx context.Context, loc index.Location, buf []byte) ([]byte, error) {
	if cap(buf) < int(loc.FrameStored) {
		buf = make([]byte, loc.FrameStored)
	}
	buf = buf[:loc.FrameStored]
	if err := r.readRange(ctx, loc, loc.FrameOffset, buf); err != nil {
		return nil, err
	}
	return buf, r.checkFrame(loc, buf)
}

func (r *Repository) checkFrame(loc index.Location, stored []byte) error {
	if frame.ID(stored) != loc.FrameID {
		return fmt.Errorf("%w: frame %s at %d of pack %s", ErrDamaged, loc.FrameID.Short(), loc.FrameOffset, r.packKey(loc))
	}
	return nil
}

func (r *Repository) packKey(loc index.Location) string {
	return r.Keys.Pack(loc.Kind, loc.Epoch, loc.Pack)
}

// readRange fills b from the pack of loc.
func (r *Repository) readRange(ctx context.Context, loc index.Location, off int64, b []byte) error {
	key := r.packKey(loc)
	r.requests.Add(1)
	rd, err := r.Store.Get(ctx, key, off, int64(len(b)))
	if err != nil {
		return readError(key, err)
	}
	defer rd.Close()
	if _, err := io.ReadFull(rd, b); err != nil {
		return readError(key, err)
	}
	return nil
}

// readError says what the failure to read a pack means.
func readError(key string, err error) error {
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return fmt.Errorf("%w: pack %s: %w", ErrMissing, key, err)
	case errors.Is(err, blobstore.ErrDamaged), errors.Is(err, blobstore.ErrRange),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: pack %s: %w", ErrDamaged, key, err)
	}
	return fmt.Errorf("read pack %s: %w", key, err)
}

// plainFrame reads and unpacks the frame of loc.
func (r *Repository) plainFrame(ctx context.Context, loc index.Location) ([]byte, error) {
	buf, err := r.Pool.Get(ctx, int(loc.FrameStored))
	if err != nil {
		return nil, fmt.Errorf("memory to read a frame: %w", err)
	}
	defer buf.Release()
	stored, err := r.ReadFrame(ctx, loc, buf.Bytes())
	if err != nil {
		return nil, err
	}
	return r.unpack(loc, stored)
}

// unpack returns a frame's plain bytes.
func (r *Repository) unpack(loc index.Location, stored []byte) ([]byte, error) {
	plain, err := frame.Decode(nil, stored, r.Decoder)
	if err != nil {
		return nil, fmt.Errorf("%w: frame %s: %w", ErrDamaged, loc.FrameID.Short(), err)
	}
	return plain, nil
}

// cut takes a chunk out of an unpacked frame and checks it.
func cut(plain []byte, id chunk.ID, offset, length uint32) ([]byte, error) {
	if uint64(offset)+uint64(length) > uint64(len(plain)) {
		return nil, fmt.Errorf("%w: chunk %s beyond its frame", ErrDamaged, id.Short())
	}
	b := plain[offset : offset+length : offset+length]
	if digest.Of(b) != id {
		return nil, fmt.Errorf("%w: chunk %s has other bytes", ErrDamaged, id.Short())
	}
	return b, nil
}

// writerDir makes a directory for a Writer's local files, in the same file system as the cache.
func (r *Repository) writerDir() (string, error) {
	r.local.mu.Lock()
	defer r.local.mu.Unlock()
	dir, err := os.MkdirTemp(r.Cache, writerPrefix)
	if err != nil {
		return "", fmt.Errorf("make directory of local segments: %w", err)
	}
	r.local.writers[filepath.Base(dir)] = true
	return dir, nil
}

func (r *Repository) dropWriterDir(dir string) {
	r.local.mu.Lock()
	defer r.local.mu.Unlock()
	os.RemoveAll(dir)
	delete(r.local.writers, filepath.Base(dir))
}

func (r *Repository) segmentPath(id digest.Digest) string {
	return filepath.Join(r.Cache, id.String())
}
