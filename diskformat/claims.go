package diskformat

// maxClaims bounds the bits with which a file's stretches are claimed: 64 MiB of memory.
const maxClaims = 1 << 29

// claims is the book of which stretches of a file have an owner, so that a small file cannot be a
// large disk by pointing everywhere at one place. It is exact where stretches lie on borders of its
// unit; of others the parts within units are watched, and their lengths' sum.
type claims struct {
	fileSize int64
	unit     int64 // bytes that a bit stands for
	owned    []uint64
	total    int64 // bytes claimed, <= fileSize
}

// newClaims makes a book with the smallest unit, at least least, that its bound allows.
func newClaims(fileSize, least int64) *claims {
	unit := least
	for fileSize/unit >= maxClaims {
		unit *= 2
	}
	return &claims{fileSize: fileSize, unit: unit, owned: make([]uint64, fileSize/unit/64+1)}
}

// claim takes n bytes at off, of which the first visible ones must be in the file. Both are at least 0.
func (c *claims) claim(off, n, visible int64) error {
	if off > c.fileSize || visible > c.fileSize-off {
		return refuse(ErrTruncated, "offset %d: %d bytes end beyond the file's %d", uint64(off), visible, c.fileSize)
	}
	end := min(off+n, c.fileSize)
	for i := (off + c.unit - 1) / c.unit; i < end/c.unit; i++ {
		if c.owned[i>>6]&(1<<(i&63)) != 0 {
			return refuse(ErrInconsistent, "offset %d: is in use for something else too", i*c.unit)
		}
		c.owned[i>>6] |= 1 << (i & 63)
	}
	if c.total += end - off; c.total > c.fileSize {
		return refuse(ErrInconsistent, "offset %d: overlaps with others: they claim more than the file's %d bytes", off, c.fileSize)
	}
	return nil
}
