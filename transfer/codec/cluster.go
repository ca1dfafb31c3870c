package codec

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Clusters is a Decoder for the clusters of a disk image, whose length is known only rounded up:
// what follows the first zstd frame is not looked at.
type Clusters struct{ *Decoder }

// Decompress is Decoder.Decompress of the first zstd frame (RFC 8878) in src.
func (c Clusters) Decompress(dst, src []byte) ([]byte, error) {
	n, err := frameLength(src)
	if err != nil {
		return nil, err
	}
	return c.Decoder.Decompress(dst, src[:n])
}

// frameLength walks the block headers and returns where the first frame ends.
func frameLength(src []byte) (int, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil || h.Skippable {
		return 0, fmt.Errorf("%w: no zstd frame header", ErrCorrupt)
	}
	at := h.HeaderSize
	for last := false; !last; {
		if len(src)-at < 3 {
			return 0, fmt.Errorf("%w: zstd frame is cut off", ErrCorrupt)
		}
		b := uint32(src[at]) | uint32(src[at+1])<<8 | uint32(src[at+2])<<16
		last = b&1 != 0
		at += 3
		if b>>1&3 == 1 { // one byte, repeated
			at++
		} else {
			at += int(b >> 3)
		}
	}
	if h.HasCheckSum {
		at += 4
	}
	if at > len(src) {
		return 0, fmt.Errorf("%w: zstd frame is cut off", ErrCorrupt)
	}
	return at, nil
}
