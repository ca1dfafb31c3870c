package diskformat

import (
	"encoding/binary"
	"errors"
)

var errZstdFrame = errors.New("not a whole zstd frame")

// zstdFrame returns the length of the zstd frame at the begin of b (RFC 8878, section 3.1), which
// a decompressor that takes exactly one frame needs to know. It looks at headers only.
func zstdFrame(b []byte) (length int, skippable bool, err error) {
	const frameMagic, skippableMagic = 0xfd2fb528, 0x184d2a50
	if len(b) < 8 { // the least of both kinds
		return 0, false, errZstdFrame
	}
	switch magic := binary.LittleEndian.Uint32(b); {
	case magic&^0xf == skippableMagic:
		n := int64(binary.LittleEndian.Uint32(b[4:])) + 8
		if n > int64(len(b)) {
			return 0, false, errZstdFrame
		}
		return int(n), true, nil
	case magic != frameMagic:
		return 0, false, errZstdFrame
	}
	at := 4 + zstdHeader(b[4])
	for last := false; !last; {
		if len(b) < at+3 {
			return 0, false, errZstdFrame
		}
		block := uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2])<<16
		last = block&1 != 0
		size := int(block >> 3)
		switch block >> 1 & 3 {
		case 1: // one byte, repeated size times
			size = 1
		case 3: // reserved
			return 0, false, errZstdFrame
		}
		at += 3 + size
	}
	if b[4]&4 != 0 { // a checksum follows
		at += 4
	}
	if len(b) < at {
		return 0, false, errZstdFrame
	}
	return at, false, nil
}

// zstdHeader returns the length of the frame header that begins with this descriptor.
func zstdHeader(descriptor byte) int {
	n := 1
	single := descriptor&0x20 != 0
	if !single {
		n++ // window
	}
	n += [4]int{0, 1, 2, 4}[descriptor&3] // dictionary
	switch descriptor >> 6 {              // content size
	case 0:
		if single {
			n++
		}
	case 1:
		n += 2
	case 2:
		n += 4
	case 3:
		n += 8
	}
	return n
}
