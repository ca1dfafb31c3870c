package index

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"loggia/internal/digest"
	"loggia/transfer/pack"
)

// DefaultSegment is the size at which a Writer begins a new segment, in bytes: the chunks of
// about 10 GiB at an average of 32 KiB.
const DefaultSegment = 16 << 20

// Writer makes segments out of packs' directories. It holds 16 bytes for each chunk of the segment
// that it fills (6 MiB at DefaultSegment, 24 MiB at MaxSegment); the rest lies in temporary files.
// It is for one goroutine.
type Writer struct {
	dir   string
	limit int64

	head   header
	packs  []packRecord
	keys   []key
	frames *spool
	chunks *spool
	done   []File
}

// File is a finished segment in a local file named after its id.
type File struct {
	ID     digest.Digest
	Path   string
	Size   int64
	Chunks int
}

// key is a lookup entry before its place is known.
type key struct {
	prefix uint64 // first eight bytes of the id, big-endian
	frame  uint32
}

// NewWriter writes segments of at most limit bytes (0: DefaultSegment) into dir. A single pack that
// is larger gets a segment of its own.
func NewWriter(dir string, limit int64) *Writer {
	if limit <= 0 {
		limit = DefaultSegment
	}
	return &Writer{dir: dir, limit: min(limit, MaxSegment)}
}

// Add lists one pack. Error: ErrLimit, or of the local files.
func (w *Writer) Add(p Pack, dir *pack.Directory) error {
	grown := w.head
	grown.packs++
	grown.frames += uint32(len(dir.Frames))
	for i := range dir.Frames {
		grown.chunks += uint32(len(dir.Frames[i].Chunks))
	}
	if grown.size() > w.limit && w.head.packs > 0 {
		if err := w.seal(); err != nil {
			return err
		}
		return w.Add(p, dir)
	}
	if grown.size() > MaxSegment || p.Size < 0 || p.Size > pack.MaxObject {
		return fmt.Errorf("%w: pack of %d bytes, segment of %d", ErrLimit, p.Size, grown.size())
	}
	if err := w.start(); err != nil {
		return err
	}
	w.packs = append(w.packs, packRecord{Pack: p, first: w.head.frames, frames: uint32(len(dir.Frames))})
	for i := range dir.Frames {
		if err := w.addFrame(&dir.Frames[i]); err != nil {
			return err
		}
	}
	w.head.packs++
	return nil
}

func (w *Writer) addFrame(f *pack.Frame) error {
	rec := frameRecord{id: f.ID, pack: w.head.packs, offset: uint32(f.Offset), stored: f.Stored, plain: f.Plain,
		first: w.head.chunks, chunks: uint32(len(f.Chunks))}
	if err := w.frames.write(rec.append(nil)); err != nil {
		return err
	}
	b := make([]byte, 0, chunkSize*len(f.Chunks))
	for _, ref := range f.Chunks {
		b = appendChunk(b, ref)
		w.keys = append(w.keys, key{binary.BigEndian.Uint64(ref.ID[:]), w.head.frames})
	}
	w.head.frames++
	w.head.chunks += uint32(len(f.Chunks))
	return w.chunks.write(b)
}

// Finish seals the last segment and returns all of them. The files are the caller's. The Writer
// may be used again.
func (w *Writer) Finish() ([]File, error) {
	if w.head.packs > 0 {
		if err := w.seal(); err != nil {
			return nil, err
		}
	}
	done := w.done
	w.done = nil
	return done, nil
}

// Abort removes the temporary files and the segments that Finish has not returned.
func (w *Writer) Abort() {
	w.reset()
	for _, f := range w.done {
		os.Remove(f.Path)
	}
	w.done = nil
}

func (w *Writer) start() (err error) {
	if w.frames == nil {
		if w.frames, err = newSpool(w.dir); err != nil {
			return err
		}
	}
	if w.chunks == nil {
		w.chunks, err = newSpool(w.dir)
	}
	return err
}

func (w *Writer) reset() {
	for _, s := range []*spool{w.frames, w.chunks} {
		if s != nil {
			s.f.Close()
		}
	}
	w.frames, w.chunks = nil, nil
	w.head, w.packs, w.keys = header{}, nil, w.keys[:0]
}

// seal writes the segment's file, makes it durable and gives it its name.
func (w *Writer) seal() error {
	tmp, err := os.CreateTemp(w.dir, ".segment-*")
	if err != nil {
		return fmt.Errorf("write index segment: %w", err)
	}
	id, err := w.write(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	path := filepath.Join(w.dir, id.String())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("write index segment: %w", err)
	}
	w.done = append(w.done, File{ID: id, Path: path, Size: w.head.size(), Chunks: int(w.head.chunks)})
	w.reset()
	return nil
}

func (w *Writer) write(f io.Writer) (digest.Digest, error) {
	slices.SortFunc(w.keys, func(a, b key) int {
		if c := cmp.Compare(a.prefix, b.prefix); c != 0 { // cmp.Or would compare the frames each time
			return c
		}
		return cmp.Compare(a.frame, b.frame)
	})
	hash := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, hash), 256<<10)
	out.Write(w.head.encode(w.fanout())) // errors of a bufio.Writer stick until Flush
	for _, p := range w.packs {
		out.Write(p.append(nil))
	}
	for _, s := range []*spool{w.frames, w.chunks} {
		if err := s.copyTo(out); err != nil {
			return digest.Digest{}, err
		}
	}
	var b [lookupSize]byte
	for _, k := range w.keys {
		binary.LittleEndian.PutUint32(b[:], uint32(k.prefix>>16)) // bytes 2 to 5 of the id
		binary.LittleEndian.PutUint32(b[4:], k.frame)
		out.Write(b[:])
	}
	if err := out.Flush(); err != nil {
		return digest.Digest{}, err
	}
	return digest.Digest(hash.Sum(nil)), nil
}

// fanout counts the sorted keys below each bucket.
func (w *Writer) fanout() []uint32 {
	bits := w.head.bits()
	out := make([]uint32, 1<<bits+1)
	for _, k := range w.keys {
		out[int(k.prefix>>48>>(16-bits))+1]++
	}
	for i := 1; i < len(out); i++ {
		out[i] += out[i-1]
	}
	return out
}

// spool is a temporary file without a name, written once and read once.
type spool struct {
	f *os.File
	w *bufio.Writer
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, ".spool-*")
	if err != nil {
		return nil, fmt.Errorf("spool index segment: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("spool index segment: %w", err)
	}
	return &spool{f: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

func (s *spool) write(b []byte) error {
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("spool index segment: %w", err)
	}
	return nil
}

func (s *spool) copyTo(w io.Writer) error {
	if err := s.w.Flush(); err != nil {
		return err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, s.f)
	return err
}
