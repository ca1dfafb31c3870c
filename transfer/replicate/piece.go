package replicate

import (
	"encoding/binary"
	"hash/fnv"

	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// The measures of pieces. They are the same in every region, or regions would not mean the same by a
// piece: another value is another version of docs/formats/pieces.md.
const (
	pieceStored = 2 << 20 // stored bytes of a piece's frames, about
	maxGroups   = 32      // pieces of one span; the last takes all the rest
)

// Piece names consecutive frames of one span in the disk's frame table.
type Piece struct {
	Span  int64
	Group uint8 // below maxGroups
}

// lane makes pieces lie in the order of the disk.
func (p Piece) lane() uint64 { return uint64(p.Span)*maxGroups + uint64(p.Group) }

// groups deals the frames of a table leaf out to pieces: a frame belongs to the group in which it
// begins, when all frames of the leaf lie one behind the other.
func groups(t *manifest.TableLeaf) [][]manifest.Frame {
	var out [][]manifest.Frame
	var at int64
	for _, f := range t.Frames {
		for int64(len(out)-1) < min(at/pieceStored, maxGroups-1) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], f)
		at += int64(f.Stored)
	}
	return out
}

// weight is a region's claim to a piece of a disk: the designee is the region with the highest.
func weight(region string, root chunk.ID, p Piece) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(region))
	var b [9]byte
	binary.LittleEndian.PutUint64(b[:], uint64(p.Span))
	b[8] = p.Group
	_, _ = h.Write(b[:])
	_, _ = h.Write(root[:])
	// FNV's high bits hardly depend on the last bytes alone: mix them, as splitmix64 does.
	z := h.Sum64()
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
