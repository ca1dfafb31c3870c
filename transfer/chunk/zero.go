package chunk

import "bytes"

// zeros is compared with; 4 KiB stay in the first-level cache. Nobody writes to it.
var zeros [4096]byte

// isZero says whether all of b is zeros. It returns early on most data.
func isZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}
