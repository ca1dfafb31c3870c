package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"loggia/internal/digest"
)

// The bounds and lengths of a frame, in bytes.
const (
	FormatVersion = 1

	// MaxPlain is the most that a frame unpacks to.
	MaxPlain = 4 << 20
	// DefaultTarget is the plain length that a writer fills frames up to. Of 256 KiB, 512 KiB and
	// 1 MiB, each doubling saved 2 % of the stored bytes of Debian images, and a random read unpacks
	// half of this on average.
	DefaultTarget = 512 << 10

	// HeaderSize is the length of the header that Encode writes: one transform, no nonce.
	HeaderSize = fixedSize + 1

	fixedSize     = 20
	maxTransforms = 4
	maxNonce      = 32
	magic         = "LgFr"
)

// The reasons for refusing a frame.
var (
	// ErrCorrupt: the bytes are no frame, or contradict themselves.
	ErrCorrupt = errors.New("corrupt frame")
	// ErrVersion: the frame says that it is of a format newer than this program knows.
	ErrVersion = errors.New("unknown frame format version")
	// ErrTransform: the frame needs a transform that this program doesn't know.
	ErrTransform = errors.New("unknown frame transform")
	// ErrLimit: a length is beyond what a frame may have.
	ErrLimit = errors.New("frame limit exceeded")
)

// Transform is one step from plain bytes to stored ones. The numbers are part of the format.
type Transform byte

// The transforms. Plain stands alone.
const (
	Plain  Transform = 0
	Zstd   Transform = 1
	Sealed Transform = 2 // reserved for encryption with the domain's data key
)

// Header is what a frame says of itself.
type Header struct {
	Transforms []Transform // in the order in which they were applied
	KeyID      uint32      // the data key that sealed it; 0 is none
	Nonce      []byte
	Plain      uint32 // bytes when unpacked
	Stored     uint32 // bytes of the whole frame, header included
}

// Size is the length of the header itself.
func (h *Header) Size() int { return fixedSize + len(h.Transforms) + len(h.Nonce) }

// ID returns the id of a frame: the SHA-256 of all its stored bytes.
func ID(stored []byte) digest.Digest { return digest.Of(stored) }

// Append writes the header's bytes behind dst.
func (h *Header) Append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(dst, magic...)
	dst = append(dst, FormatVersion, byte(len(h.Transforms)), byte(len(h.Nonce)), 0)
	dst = le.AppendUint32(dst, h.KeyID)
	dst = le.AppendUint32(dst, h.Plain)
	dst = le.AppendUint32(dst, h.Stored)
	for _, t := range h.Transforms {
		dst = append(dst, byte(t))
	}
	return append(dst, h.Nonce...)
}

// ParseHeader reads the header at the begin of stored, which is a frame or the first part of one.
// It accepts what a later version of this program may know to undo: Decode refuses that.
func ParseHeader(stored []byte) (Header, error) {
	var h Header
	le := binary.LittleEndian
	if len(stored) < fixedSize || string(stored[:4]) != magic {
		return h, fmt.Errorf("%w: no header", ErrCorrupt)
	}
	if stored[4] != FormatVersion {
		return h, fmt.Errorf("%w %d", ErrVersion, stored[4])
	}
	transforms, nonce := int(stored[5]), int(stored[6])
	if transforms == 0 || stored[7] != 0 {
		return h, fmt.Errorf("%w: %d transforms, reserved %#02x", ErrCorrupt, transforms, stored[7])
	}
	if transforms > maxTransforms || nonce > maxNonce {
		return h, fmt.Errorf("%w: %d transforms, nonce of %d bytes", ErrLimit, transforms, nonce)
	}
	h.KeyID, h.Plain, h.Stored = le.Uint32(stored[8:]), le.Uint32(stored[12:]), le.Uint32(stored[16:])
	rest := stored[fixedSize:]
	if len(rest) < transforms+nonce {
		return Header{}, fmt.Errorf("%w: header is cut off", ErrCorrupt)
	}
	for _, t := range rest[:transforms] {
		h.Transforms = append(h.Transforms, Transform(t))
	}
	h.Nonce = slices.Clone(rest[transforms : transforms+nonce])
	return h, h.check()
}

// check holds the fields against each other.
func (h *Header) check() error {
	if h.Plain > MaxPlain {
		return fmt.Errorf("%w: unpacks to %d bytes", ErrLimit, h.Plain)
	}
	if h.Plain == 0 || int64(h.Stored) <= int64(h.Size()) {
		return fmt.Errorf("%w: %d bytes stored, %d plain", ErrCorrupt, h.Stored, h.Plain)
	}
	if int64(h.Stored) > int64(h.Size())+MaxPlain+maxOverhead {
		return fmt.Errorf("%w: %d bytes stored", ErrLimit, h.Stored)
	}
	if len(h.Transforms) > 1 && slices.Contains(h.Transforms, Plain) {
		return fmt.Errorf("%w: plain among other transforms", ErrCorrupt)
	}
	if sealed := slices.Contains(h.Transforms, Sealed); !sealed && (h.KeyID != 0 || len(h.Nonce) != 0) {
		return fmt.Errorf("%w: key or nonce in a frame that is not sealed", ErrCorrupt)
	}
	return nil
}

// maxOverhead is what transforms may add to the plain bytes, the tag of a seal for one.
const maxOverhead = 64
