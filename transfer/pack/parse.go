package pack

import (
	"context"
	"encoding/binary"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// FirstRead is how many bytes of an object's end ReadDirectory asks for at first: enough for the
// directory of a usual pack (about 1,500 chunks).
const FirstRead = 64 << 10

// ParseDirectory reads the directory out of tail, the last bytes of an object of objectSize bytes.
// Where tail is too short, dir is nil and need is the length of the tail that will do, which
// is never more than objectSize. It does not check the pack's id: use ReadDirectory, or compare
// dir.ID().
func ParseDirectory(tail []byte, objectSize int64) (dir *Directory, need int64, err error) {
	if objectSize > MaxObject {
		return nil, 0, fmt.Errorf("%w: object of %d bytes", ErrLimit, objectSize)
	}
	if objectSize < TrailerSize || int64(len(tail)) > objectSize {
		return nil, 0, fmt.Errorf("%w: object of %d bytes, tail of %d", ErrCorrupt, objectSize, len(tail))
	}
	if len(tail) < TrailerSize {
		return nil, TrailerSize, nil
	}
	body, trailer := tail[:len(tail)-TrailerSize], tail[len(tail)-TrailerSize:]
	size, err := parseTrailer(trailer)
	if err != nil {
		return nil, 0, err
	}
	if size > objectSize-TrailerSize {
		return nil, 0, fmt.Errorf("%w: directory of %d bytes in an object of %d", ErrCorrupt, size, objectSize)
	}
	if int64(len(body)) < size {
		return nil, size + TrailerSize, nil
	}
	body = body[int64(len(body))-size:]
	if got, want := checksum(body, trailer[:8]), binary.LittleEndian.Uint32(trailer[8:]); got != want {
		return nil, 0, fmt.Errorf("%w: directory checksum is %08x, trailer says %08x", ErrCorrupt, got, want)
	}
	dir, err = Decode(body)
	if err != nil {
		return nil, 0, err
	}
	if dir.Size() != objectSize {
		return nil, 0, fmt.Errorf("%w: frames and directory are %d bytes, the object is %d", ErrCorrupt, dir.Size(), objectSize)
	}
	return dir, 0, nil
}

// parseTrailer returns the directory's length.
func parseTrailer(t []byte) (int64, error) {
	le := binary.LittleEndian
	if string(t[12:]) != trailerMagic {
		return 0, fmt.Errorf("%w: no pack trailer", ErrCorrupt)
	}
	if v := le.Uint32(t[4:]); v != FormatVersion {
		return 0, fmt.Errorf("%w %d", ErrVersion, v)
	}
	size := int64(le.Uint32(t))
	if size > directorySize(MaxFrames, MaxChunks) {
		return 0, fmt.Errorf("%w: directory of %d bytes", ErrLimit, size)
	}
	return size, nil
}

// Decode reads a directory from exactly its own bytes, as Append writes them. Memory is bounded
// by len(b): the counts are held against it first.
func Decode(b []byte) (*Directory, error) {
	le := binary.LittleEndian
	if len(b) < directoryHeaderSize || string(b[:4]) != directoryMagic {
		return nil, fmt.Errorf("%w: no directory", ErrCorrupt)
	}
	if b[4] != FormatVersion {
		return nil, fmt.Errorf("%w %d", ErrVersion, b[4])
	}
	kind := Kind(b[5])
	if kind != Data && kind != Nodes || b[6] != 0 || b[7] != 0 {
		return nil, fmt.Errorf("%w: kind %#02x, reserved %#02x%02x", ErrCorrupt, b[5], b[6], b[7])
	}
	frames, chunks := int64(le.Uint32(b[8:])), int64(le.Uint32(b[12:]))
	if frames > MaxFrames || chunks > MaxChunks {
		return nil, fmt.Errorf("%w: %d frames, %d chunks", ErrLimit, frames, chunks)
	}
	if frames == 0 || chunks < frames {
		return nil, fmt.Errorf("%w: %d frames, %d chunks", ErrCorrupt, frames, chunks)
	}
	if want := directorySize(int(frames), int(chunks)); int64(len(b)) != want {
		return nil, fmt.Errorf("%w: directory is %d bytes, its counts make %d", ErrCorrupt, len(b), want)
	}
	split := directoryHeaderSize + int(frames)*frameEntrySize
	d := &Directory{Kind: kind, Frames: make([]Frame, frames)}
	if err := d.decodeFrames(b[directoryHeaderSize:split], decodeChunks(b[split:], int(chunks))); err != nil {
		return nil, err
	}
	return d, nil
}

func decodeChunks(b []byte, n int) []chunk.Ref {
	refs := make([]chunk.Ref, n)
	for i := range refs {
		e := b[i*chunkEntrySize : (i+1)*chunkEntrySize]
		refs[i] = chunk.Ref{ID: digest.Digest(e[:digest.Size]), Length: binary.LittleEndian.Uint32(e[digest.Size:])}
	}
	return refs
}

// decodeFrames fills d.Frames and deals the chunks out to them, all of them.
func (d *Directory) decodeFrames(b []byte, refs []chunk.Ref) error {
	le := binary.LittleEndian
	seen := make(map[digest.Digest]struct{}, len(d.Frames))
	var offset int64
	for i := range d.Frames {
		e := b[i*frameEntrySize : (i+1)*frameEntrySize]
		f := &d.Frames[i]
		f.ID = digest.Digest(e[:digest.Size])
		f.Offset = offset
		f.Stored, f.Plain = le.Uint32(e[digest.Size:]), le.Uint32(e[digest.Size+4:])
		n := int64(le.Uint32(e[digest.Size+8:]))
		if n > int64(len(refs)) {
			return fmt.Errorf("%w: frame %s has %d chunks, %d are left", ErrCorrupt, f.ID.Short(), n, len(refs))
		}
		f.Chunks, refs = refs[:n:n], refs[n:]
		if err := f.check(); err != nil {
			return err
		}
		if _, twice := seen[f.ID]; twice {
			return fmt.Errorf("%w: frame %s twice", ErrCorrupt, f.ID.Short())
		}
		seen[f.ID] = struct{}{}
		if offset = f.End(); offset > MaxObject {
			return fmt.Errorf("%w: frames of more than %d bytes", ErrLimit, MaxObject)
		}
	}
	if len(refs) != 0 {
		return fmt.Errorf("%w: %d chunks belong to no frame", ErrCorrupt, len(refs))
	}
	return nil
}

// ReadDirectory reads the directory of the pack named id, an object of size bytes, in at most two
// calls of get, which returns exactly n bytes at off. The directory is the one that id names, or
// the error is ErrMismatch; errors of get are wrapped.
func ReadDirectory(ctx context.Context, id digest.Digest, size int64, get func(ctx context.Context, off, n int64) ([]byte, error)) (*Directory, error) {
	need := min(FirstRead, size)
	for range 3 {
		if need <= 0 || need > size {
			break
		}
		tail, err := get(ctx, size-need, need)
		if err != nil {
			return nil, fmt.Errorf("read directory of pack %s: %w", id.Short(), err)
		}
		if int64(len(tail)) != need {
			return nil, fmt.Errorf("%w: read %d bytes of pack %s, want %d", ErrCorrupt, len(tail), id.Short(), need)
		}
		dir, more, err := ParseDirectory(tail, size)
		if err != nil {
			return nil, fmt.Errorf("directory of pack %s: %w", id.Short(), err)
		}
		if dir != nil {
			if got := dir.ID(); got != id {
				return nil, fmt.Errorf("%w: directory has id %s, want %s", ErrMismatch, got.Short(), id.Short())
			}
			return dir, nil
		}
		need = more
	}
	return nil, fmt.Errorf("%w: pack %s is %d bytes", ErrCorrupt, id.Short(), size)
}
