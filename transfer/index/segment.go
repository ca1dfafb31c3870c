package index

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// Segment is an open segment. It is safe for many goroutines, holds the fan-out in memory (at most
// 256 KiB) and the lookup table where that is no larger than heldTable, and reads everything else when asked.
type Segment struct {
	r      io.ReaderAt
	close  func() error
	head   header
	fanout []uint32
	table  []byte    // nil: it is read when asked
	rooms  sync.Pool // *room
}

// heldTable is the largest lookup table that is kept in memory, in bytes: of 32,768 chunks, about 2 GiB of a disk. Whoever compares
// a disk with what is there asks for nearly as many, and of a lookup in vain the read is three quarters.
const heldTable = 256 << 10

// room is what a lookup reads into: the reader is an interface, so that it would be made anew each time. It keeps the frame that was
// found last: who looks chunks up in the order of a disk finds most of them there, and reads nothing.
type room struct {
	page   [64 * lookupSize]byte
	record [max(frameSize, packSize)]byte
	chunks []byte // records of one frame
	last   lastFrame
	window []byte // records of frames, and of their chunks
}

// lastFrame is a frame of which room.chunks holds the records; of none where chunks is 0.
type lastFrame struct {
	number uint32
	frame  frameRecord
	pack   packRecord
}

func (s *Segment) room() *room {
	if r, ok := s.rooms.Get().(*room); ok {
		return r
	}
	return new(room)
}

// Open reads header and fan-out of a segment of size bytes and checks that they fit each other. It
// does not check the segment's id: that was done when it was fetched (Verify). Close does not
// close r.
func Open(r io.ReaderAt, size int64) (*Segment, error) {
	if size < headerSize || size > MaxSegment {
		return nil, damaged("segment of %d bytes", size)
	}
	b := make([]byte, headerSize)
	if err := readAt(r, b, 0); err != nil {
		return nil, err
	}
	h, err := decodeHeader(b, size)
	if err != nil {
		return nil, err
	}
	b = append(b, make([]byte, h.fanout())...)
	if err := readAt(r, b[headerSize:], headerSize); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(b[20:]) != checksum(b) {
		return nil, damaged("checksum of header and fan-out")
	}
	s := &Segment{r: r, close: func() error { return nil }, head: h, fanout: make([]uint32, h.fanout()/4)}
	last := uint32(0)
	for i := range s.fanout {
		s.fanout[i] = binary.LittleEndian.Uint32(b[headerSize+4*i:])
		if s.fanout[i] < last || i == 0 && s.fanout[i] != 0 {
			return nil, damaged("fan-out falls at %d", i)
		}
		last = s.fanout[i]
	}
	if last != h.chunks {
		return nil, damaged("fan-out ends at %d of %d", last, h.chunks)
	}
	if n := lookupSize * int64(h.chunks); n <= heldTable {
		s.table = make([]byte, n)
		if err := readAt(r, s.table, h.lookAt()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// OpenFile opens the segment in a local file; Close closes the file.
func OpenFile(path string) (*Segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open index segment: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		var s *Segment
		if s, err = Open(f, info.Size()); err == nil {
			s.close = f.Close
			return s, nil
		}
	}
	f.Close()
	return nil, fmt.Errorf("open index segment %s: %w", path, err)
}

// Verify reads a whole segment and holds it against its id.
func Verify(r io.Reader, id digest.Digest) error {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return fmt.Errorf("verify index segment %s: %w", id.Short(), err)
	}
	if got := digest.Digest(h.Sum(nil)); got != id {
		return damaged("segment %s has digest %s", id.Short(), got.Short())
	}
	return nil
}

// Close ends the use of the segment; no call may be running or follow.
func (s *Segment) Close() error { return s.close() }

// Size is the segment's length in bytes.
func (s *Segment) Size() int64 { return s.head.size() }

// ReadAt reads the segment's own bytes, for copying it.
func (s *Segment) ReadAt(b []byte, off int64) (int, error) { return s.r.ReadAt(b, off) }

// Counts says how many packs, frames and chunks the segment lists.
func (s *Segment) Counts() (packs, frames, chunks int) {
	return int(s.head.packs), int(s.head.frames), int(s.head.chunks)
}

// Lookup finds a chunk. Errors: ErrDamaged, or of reading the file.
func (s *Segment) Lookup(id chunk.ID) (Location, bool, error) {
	b := bucket(id, s.head.bits())
	tag := tagOf(id)
	r := s.room()
	defer s.rooms.Put(r)
	if loc, ok, err := s.inLast(r, id); ok || err != nil {
		return loc, ok, err
	}
	for at, end := s.fanout[b], s.fanout[b+1]; at < end; {
		n := min(end-at, uint32(len(r.page)/lookupSize))
		entries, err := s.entries(r, at, n)
		if err != nil {
			return Location{}, false, err
		}
		for ; len(entries) > 0; entries = entries[lookupSize:] {
			if binary.LittleEndian.Uint32(entries) != tag {
				continue
			}
			loc, ok, err := s.locate(r, id, binary.LittleEndian.Uint32(entries[4:]))
			if ok || err != nil {
				return loc, ok, err
			}
		}
		at += n
	}
	return Location{}, false, nil
}

// entries returns n entries of the lookup table, at most a page of them. They are valid until the room is used again.
func (s *Segment) entries(r *room, at, n uint32) ([]byte, error) {
	if s.table != nil {
		return s.table[at*lookupSize:][:n*lookupSize], nil
	}
	b := r.page[:n*lookupSize]
	return b, readAt(s.r, b, s.head.lookAt()+int64(at)*lookupSize)
}

// locate looks for a chunk in one frame.
func (s *Segment) locate(r *room, id chunk.ID, frame uint32) (Location, bool, error) {
	f, err := s.frame(r, frame)
	if err != nil {
		return Location{}, false, err
	}
	records, err := s.records(r, f)
	if err != nil {
		return Location{}, false, err
	}
	if _, _, ok := findIn(records, id); !ok {
		return Location{}, false, nil
	}
	p, err := s.pack(r, f.pack)
	if err != nil {
		return Location{}, false, err
	}
	r.last = lastFrame{frame, f, p}
	return s.inLast(r, id)
}

// inLast looks for a chunk in the frame that was found last.
func (s *Segment) inLast(r *room, id chunk.ID) (Location, bool, error) {
	f, p := r.last.frame, r.last.pack
	offset, length, ok := findIn(r.chunks[:int(f.chunks)*chunkSize], id)
	if !ok {
		return Location{}, false, nil
	}
	if int64(f.offset)+int64(f.stored) > p.Size || uint64(offset)+uint64(length) > uint64(f.plain) {
		return Location{}, false, damaged("frame %s reaches beyond its pack, or a chunk beyond it", f.id.Short())
	}
	return Location{Kind: p.Kind, Epoch: p.Epoch, Pack: p.ID, PackSize: p.Size,
		FrameID: f.id, FrameOffset: int64(f.offset), FrameStored: f.stored, FramePlain: f.plain,
		PlainOffset: offset, Length: length, source: s, frame: r.last.number, inPack: f.pack}, true, nil
}

// widest is how many frames behind are read at once at most, and widestChunks how many chunks of theirs unless a single one has more.
const (
	widest       = 64
	widestChunks = 4 << 10
)

// behind calls fn for the frames that follow the one of loc in its pack, with their chunks, until it says that it wants no more. They are read
// together, more of them the further it goes. It stops before one that is damaged: whoever asks for what that holds is told by Lookup, and nobody else.
func (s *Segment) behind(loc Location, fn func(loc Location, refs []chunk.Ref) (more bool, err error)) error {
	r := s.room()
	defer s.rooms.Put(r)
	pack := loc.inPack
	for at, width := loc.frame+1, uint32(2); at < s.head.frames; width = min(2*width, widest) {
		frames, err := s.following(r, at, min(width, s.head.frames-at), pack)
		if err != nil || len(frames) == 0 {
			return err
		}
		first, last := frames[0], frames[len(frames)-1]
		n := int(last.first+last.chunks-first.first) * chunkSize
		if cap(r.window) < n {
			r.window = make([]byte, n)
		}
		b := r.window[:n]
		if err := readAt(s.r, b, s.head.chunkAt()+int64(first.first)*chunkSize); err != nil {
			return err
		}
		for _, f := range frames {
			records := b[int(f.first-first.first)*chunkSize:][:int(f.chunks)*chunkSize]
			refs, plain := decodeChunks(records), uint64(0)
			for _, ref := range refs {
				plain += uint64(ref.Length)
			}
			if int64(f.offset)+int64(f.stored) > loc.PackSize || plain > uint64(f.plain) {
				return nil
			}
			loc.FrameID, loc.FrameOffset, loc.FrameStored, loc.FramePlain = f.id, int64(f.offset), f.stored, f.plain
			if more, err := fn(loc, refs); err != nil || !more {
				return err
			}
		}
		at += uint32(len(frames))
	}
	return nil
}

// following reads the records of n frames from at on, as long as they are of a pack and right, and their chunks follow each other.
func (s *Segment) following(r *room, at, n, pack uint32) ([]frameRecord, error) {
	size := int(n) * frameSize
	if cap(r.window) < size {
		r.window = make([]byte, size)
	}
	b := r.window[:size]
	if err := readAt(s.r, b, s.head.frameAt()+int64(at)*frameSize); err != nil {
		return nil, err
	}
	frames, chunks := make([]frameRecord, 0, n), uint32(0)
	for ; len(b) > 0; b = b[frameSize:] {
		f := decodeFrame(b)
		if f.pack != pack || f.check(s.head) != nil || len(frames) > 0 && f.first != frames[0].first+chunks {
			break
		}
		if chunks += f.chunks; len(frames) > 0 && chunks > widestChunks {
			break
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// findIn looks for a chunk among the records of a frame.
func findIn(records []byte, id chunk.ID) (offset, length uint32, ok bool) {
	for ; len(records) > 0; records = records[chunkSize:] {
		n := binary.LittleEndian.Uint32(records[digest.Size:])
		if digest.Digest(records[:digest.Size]) == id {
			return offset, n, true
		}
		offset += n
	}
	return 0, 0, false
}

// records reads the chunk records of a frame; they are valid until r is used again.
func (s *Segment) records(r *room, f frameRecord) ([]byte, error) {
	n := int(f.chunks) * chunkSize
	r.last = lastFrame{}
	if cap(r.chunks) < n {
		r.chunks = make([]byte, n)
	}
	b := r.chunks[:n]
	return b, readAt(s.r, b, s.head.chunkAt()+int64(f.first)*chunkSize)
}

func (s *Segment) pack(r *room, n uint32) (packRecord, error) {
	b := r.record[:packSize]
	if err := readAt(s.r, b, s.head.packAt()+int64(n)*packSize); err != nil {
		return packRecord{}, err
	}
	return decodePack(b)
}

func (s *Segment) frame(r *room, n uint32) (frameRecord, error) {
	if n >= s.head.frames {
		return frameRecord{}, damaged("frame %d of %d", n, s.head.frames)
	}
	b := r.record[:frameSize]
	if err := readAt(s.r, b, s.head.frameAt()+int64(n)*frameSize); err != nil {
		return frameRecord{}, err
	}
	f := decodeFrame(b)
	return f, f.check(s.head)
}

func (s *Segment) frameChunks(n uint32) ([]chunk.Ref, error) {
	r := s.room()
	defer s.rooms.Put(r)
	if f := r.last.frame; f.chunks > 0 && r.last.number == n {
		return decodeChunks(r.chunks[:int(f.chunks)*chunkSize]), nil
	}
	f, err := s.frame(r, n)
	if err != nil {
		return nil, err
	}
	return s.refs(r, f)
}

func (s *Segment) refs(r *room, f frameRecord) ([]chunk.Ref, error) {
	b, err := s.records(r, f)
	if err != nil {
		return nil, err
	}
	return decodeChunks(b), nil
}

func decodeChunks(b []byte) []chunk.Ref {
	refs := make([]chunk.Ref, len(b)/chunkSize)
	for i := range refs {
		refs[i] = decodeChunk(b[i*chunkSize:])
	}
	return refs
}

// Packs calls fn for every pack with its directory, in the segment's order. The directory is as
// the segment has it; its pack's id is not checked against it.
func (s *Segment) Packs(fn func(Pack, *pack.Directory) error) error {
	r := s.room()
	defer s.rooms.Put(r)
	for n := range s.head.packs {
		p, err := s.pack(r, n)
		if err != nil {
			return err
		}
		dir, err := s.directory(r, n, p)
		if err != nil {
			return err
		}
		if err := fn(p.Pack, dir); err != nil {
			return err
		}
	}
	return nil
}

func (s *Segment) directory(r *room, n uint32, p packRecord) (*pack.Directory, error) {
	if p.frames == 0 || p.frames > pack.MaxFrames || uint64(p.first)+uint64(p.frames) > uint64(s.head.frames) {
		return nil, damaged("pack %s has %d frames from %d", p.ID.Short(), p.frames, p.first)
	}
	dir := &pack.Directory{Kind: p.Kind}
	chunks := 0
	for i := p.first; i < p.first+p.frames; i++ {
		f, err := s.frame(r, i)
		if err != nil {
			return nil, err
		}
		if chunks += int(f.chunks); f.pack != n || chunks > pack.MaxChunks {
			return nil, damaged("frame %d of pack %s", i, p.ID.Short())
		}
		refs, err := s.refs(r, f)
		if err != nil {
			return nil, err
		}
		dir.Frames = append(dir.Frames, pack.Frame{ID: f.id, Offset: int64(f.offset), Stored: f.stored, Plain: f.plain, Chunks: refs})
	}
	return dir, nil
}

// readAt fills b; a short file is damage.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return damaged("segment ends at %d", off+int64(n))
	}
	return fmt.Errorf("read index segment: %w", err)
}
