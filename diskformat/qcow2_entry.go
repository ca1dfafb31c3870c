package diskformat

// Fields of the entries of L1 and L2 tables.
const (
	entryOffset     = 0x00ff_ffff_ffff_fe00
	entryCopied     = 1 << 63
	entryCompressed = 1 << 62
	entryZero       = 1 << 0
	l1Reserved      = 0x7f00_0000_0000_01ff
	l2Reserved      = 0x3f00_0000_0000_01fe
)

// allSubclusters is the bitmap of a cluster all of whose subclusters are alike.
const allSubclusters = 1<<32 - 1

// cluster is what an L2 entry says of one guest cluster.
type cluster struct {
	kind kind
	// host is the file offset: of the cluster, or of the compressed bytes. A cluster of zeros may
	// have one too, set aside for later; else it is 0.
	host   int64
	stored int64  // packed: length up to the end of the last sector
	data   uint32 // plain: the subclusters that hold data; the others are zeros
}

// l2Offset decodes an L1 entry: the place of an L2 table, 0 for none.
func (h *qcow2Header) l2Offset(entry uint64) (int64, error) {
	off := int64(entry & entryOffset)
	switch {
	case entry&l1Reserved != 0:
		return 0, refuse(ErrInconsistent, "entry %#016x: reserved bits %#x must be 0", entry, entry&l1Reserved)
	case off%h.clusterSize() != 0:
		return 0, refuse(ErrInconsistent, "entry %#016x: offset must be a multiple of %d", entry, h.clusterSize())
	}
	return off, nil
}

// entrySize is the length of an L2 entry in bytes.
func (h *qcow2Header) entrySize() int64 {
	if h.extended {
		return 16
	}
	return 8
}

// decodeCluster decodes an L2 entry of entrySize bytes.
func (h *qcow2Header) decodeCluster(b []byte) (cluster, error) {
	entry, bitmap := be64(b, 0), uint64(allSubclusters)
	if h.extended {
		bitmap = be64(b, 8)
	}
	if entry&entryCompressed != 0 {
		if h.extended && bitmap != 0 {
			return cluster{}, refuse(ErrInconsistent, "entry %#016x: subcluster bitmap %#x of a compressed cluster must be 0", entry, bitmap)
		}
		return h.decodePacked(entry)
	}
	return h.decodePlain(entry, bitmap)
}

// decodePacked decodes the entry of a compressed cluster: offset in the low bits, then the number
// of sectors that follow the first one.
func (h *qcow2Header) decodePacked(entry uint64) (cluster, error) {
	if entry&entryCopied != 0 {
		return cluster{}, refuse(ErrInconsistent, "entry %#016x: bit 63 of a compressed cluster must be 0", entry)
	}
	offsetBits := 62 - (h.clusterBits - 8)
	host := int64(entry & (1<<offsetBits - 1))
	if host>>56 != 0 {
		return cluster{}, refuse(ErrInconsistent, "entry %#016x: offset bits above 55 must be 0", entry)
	}
	more := int64(entry &^ entryCompressed >> offsetBits)
	return cluster{kind: packed, host: host, stored: (more+1)*SectorSize - host%SectorSize}, nil
}

// decodePlain decodes the entry of a standard cluster. Without extended entries bitmap is all ones
// for data.
func (h *qcow2Header) decodePlain(entry, bitmap uint64) (cluster, error) {
	host := int64(entry & entryOffset)
	zero := entry&entryZero != 0
	switch {
	case entry&l2Reserved != 0:
		return cluster{}, refuse(ErrInconsistent, "entry %#016x: reserved bits %#x must be 0", entry, entry&l2Reserved)
	case zero && (h.version == 2 || h.extended):
		return cluster{}, refuse(ErrInconsistent, "entry %#016x: bit 0 must be 0 in version 2 and with extended L2 entries", entry)
	case host%h.clusterSize() != 0:
		return cluster{}, refuse(ErrInconsistent, "entry %#016x: offset must be a multiple of %d", entry, h.clusterSize())
	case host == 0 && entry&entryCopied != 0:
		return cluster{}, refuse(ErrInconsistent, "entry %#016x: bit 63 must be 0 without an offset", entry)
	}
	c := cluster{kind: plain, host: host, data: uint32(bitmap)}
	if h.extended {
		if both := uint32(bitmap) & uint32(bitmap>>32); both != 0 {
			return cluster{}, refuse(ErrInconsistent, "entry %#016x: subclusters %#08x are both data and zeros", entry, both)
		}
		if c.data != 0 && host == 0 {
			return cluster{}, refuse(ErrInconsistent, "entry %#016x: subclusters %#08x are data without an offset", entry, c.data)
		}
	}
	if zero || host == 0 || c.data == 0 {
		c.kind, c.data = zeros, 0
	}
	return c, nil
}
