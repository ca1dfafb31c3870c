package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// The measures of format version 1 (docs/formats/index.md), in bytes where nothing else is said.
const (
	Version    = 1
	MaxSegment = 64 << 20 // blobstore.MaxObject

	magic       = "LgIx"
	headerSize  = 24
	packSize    = 56
	frameSize   = 56
	chunkSize   = digest.Size + 4
	lookupSize  = 8
	maxBits     = 16
	bucketChunk = 16 // chunks per bucket at most, until maxBits is reached
)

// The reasons for refusing a segment.
var (
	// ErrDamaged: the bytes are no segment, or contradict each other, or have another digest.
	ErrDamaged = errors.New("index segment is damaged")
	// ErrVersion: the segment is of a version newer than this program knows.
	ErrVersion = errors.New("unknown index version")
	// ErrLimit: a pack does not fit into a segment.
	ErrLimit = errors.New("index limit exceeded")
)

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// header counts a segment's records; every section's place follows from it.
type header struct {
	packs, frames, chunks uint32
}

func (h header) bits() int {
	b := 0
	for b < maxBits && uint64(h.chunks) > bucketChunk<<b {
		b++
	}
	return b
}

func (h header) fanout() int64  { return 4 * (1<<h.bits() + 1) }
func (h header) packAt() int64  { return headerSize + h.fanout() }
func (h header) frameAt() int64 { return h.packAt() + packSize*int64(h.packs) }
func (h header) chunkAt() int64 { return h.frameAt() + frameSize*int64(h.frames) }
func (h header) lookAt() int64  { return h.chunkAt() + chunkSize*int64(h.chunks) }
func (h header) size() int64    { return h.lookAt() + lookupSize*int64(h.chunks) }

// encode returns header and fan-out.
func (h header) encode(fanout []uint32) []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, h.packAt()), magic...)
	b = append(b, Version, byte(h.bits()), 0, 0)
	b = le.AppendUint32(b, h.packs)
	b = le.AppendUint32(b, h.frames)
	b = le.AppendUint32(b, h.chunks)
	b = le.AppendUint32(b, 0)
	for _, n := range fanout {
		b = le.AppendUint32(b, n)
	}
	le.PutUint32(b[20:], checksum(b))
	return b
}

// checksum covers header and fan-out but the field that holds it.
func checksum(b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(b[:20], table), table, b[headerSize:])
}

// decodeHeader reads the first headerSize bytes of a segment of so many bytes.
func decodeHeader(b []byte, size int64) (header, error) {
	le := binary.LittleEndian
	if string(b[:4]) != magic {
		return header{}, damaged("no segment")
	}
	if b[4] != Version {
		return header{}, fmt.Errorf("%w %d", ErrVersion, b[4])
	}
	h := header{le.Uint32(b[8:]), le.Uint32(b[12:]), le.Uint32(b[16:])}
	if int(b[5]) != h.bits() || b[6]|b[7] != 0 || h.packs == 0 || h.size() != size {
		return header{}, damaged("%d bytes with %d packs, %d frames, %d chunks", size, h.packs, h.frames, h.chunks)
	}
	return h, nil
}

// bucket is the number of the bucket that id lies in.
func bucket(id chunk.ID, bits int) int {
	return int(binary.BigEndian.Uint16(id[:]) >> (16 - bits))
}

func tagOf(id chunk.ID) uint32 { return binary.BigEndian.Uint32(id[2:]) }

// Pack is a pack as a segment lists it.
type Pack struct {
	Kind  pack.Kind
	Epoch uint64 // claim epoch of its key
	ID    digest.Digest
	Size  int64 // of the object
}

type packRecord struct {
	Pack
	first, frames uint32
}

func (p packRecord) append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, p.ID[:]...)
	b = le.AppendUint64(b, p.Epoch)
	b = le.AppendUint32(b, uint32(p.Size))
	b = le.AppendUint32(b, p.first)
	b = le.AppendUint32(b, p.frames)
	return append(b, byte(p.Kind), 0, 0, 0)
}

func decodePack(b []byte) (p packRecord, err error) {
	le := binary.LittleEndian
	p.ID = digest.Digest(b[:32])
	p.Epoch, p.Size = le.Uint64(b[32:]), int64(le.Uint32(b[40:]))
	p.first, p.frames = le.Uint32(b[44:]), le.Uint32(b[48:])
	p.Kind = pack.Kind(b[52])
	if p.Kind != pack.Data && p.Kind != pack.Nodes || b[53]|b[54]|b[55] != 0 || p.Size > pack.MaxObject {
		return p, damaged("pack of kind %#02x and %d bytes", b[52], p.Size)
	}
	return p, nil
}

type frameRecord struct {
	id                    digest.Digest
	pack                  uint32
	offset, stored, plain uint32
	first, chunks         uint32
}

func (f frameRecord) append(b []byte) []byte {
	b = append(b, f.id[:]...)
	for _, v := range []uint32{f.pack, f.offset, f.stored, f.plain, f.first, f.chunks} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func decodeFrame(b []byte) frameRecord {
	le := binary.LittleEndian
	return frameRecord{id: digest.Digest(b[:32]), pack: le.Uint32(b[32:]), offset: le.Uint32(b[36:]),
		stored: le.Uint32(b[40:]), plain: le.Uint32(b[44:]), first: le.Uint32(b[48:]), chunks: le.Uint32(b[52:])}
}

// check holds a frame to the bounds of packs and of its segment.
func (f frameRecord) check(h header) error {
	if f.pack >= h.packs || f.chunks == 0 || f.chunks > pack.MaxChunks || uint64(f.first)+uint64(f.chunks) > uint64(h.chunks) ||
		f.plain == 0 || f.plain > pack.MaxPlain || f.stored == 0 || uint64(f.offset)+uint64(f.stored) > math.MaxInt32 {
		return damaged("frame %s: %+v", f.id.Short(), f)
	}
	return nil
}

func appendChunk(b []byte, ref chunk.Ref) []byte {
	return binary.LittleEndian.AppendUint32(append(b, ref.ID[:]...), ref.Length)
}

func decodeChunk(b []byte) chunk.Ref {
	return chunk.Ref{ID: digest.Digest(b[:32]), Length: binary.LittleEndian.Uint32(b[32:])}
}
