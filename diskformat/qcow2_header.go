package diskformat

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Limits of the reader; those that the format does not set are qemu's.
const (
	qcow2MinClusterBits = 9
	qcow2MaxClusterBits = 21
	qcow2MaxL1Bytes     = 32 << 20
	qcow2MaxRefcount    = 8 << 20 // bytes of the refcount table
	qcow2V2Length       = 72
	qcow2V3Length       = 104
	// qcow2MaxClusters bounds the clusters of a file, and so the 64 MiB of memory in which the
	// tables are checked: 32 TiB of 64 KiB clusters.
	qcow2MaxClusters = 1 << 29
)

// The incompatible features, by bit.
const (
	qcow2Dirty = 1 << iota
	qcow2Corrupt
	qcow2DataFile
	qcow2Compression
	qcow2ExtendedL2
)

const qcow2RawDataFile = 1 << 1 // an autoclear feature

// compression is the way the packed clusters of an image are compressed.
type compression uint8

const (
	compressedDeflate compression = 0
	compressedZstd    compression = 1
)

// qcow2Header is the part of the header that reading needs, after its checks.
type qcow2Header struct {
	version     uint32
	clusterBits uint
	size        int64
	l1Offset    int64
	l1Entries   int64 // as declared, at least as many as size needs
	refOffset   int64
	refClusters int64
	compression compression
	extended    bool // L2 entries of 16 bytes, with subclusters
}

func (h *qcow2Header) clusterSize() int64 { return 1 << h.clusterBits }

// l2Bits is the number of bits of a guest cluster's number that index an L2 table.
func (h *qcow2Header) l2Bits() uint {
	if h.extended {
		return h.clusterBits - 4
	}
	return h.clusterBits - 3
}

// l1Needed is the number of L1 entries that cover the disk.
func (h *qcow2Header) l1Needed() int64 {
	covered := int64(1) << (h.clusterBits + h.l2Bits())
	return (h.size + covered - 1) / covered
}

// readQCOW2Header reads and checks the first cluster.
func readQCOW2Header(src Source, o Options) (*qcow2Header, error) {
	fixed := make([]byte, qcow2V3Length+8)
	fixed = fixed[:min(int64(len(fixed)), src.Size())]
	if err := readFull(src, fixed, 0); err != nil {
		return nil, err
	}
	if len(fixed) < qcow2V2Length {
		return nil, refuse(ErrTruncated, "length %d: must be at least %d", len(fixed), qcow2V2Length)
	}
	h := &qcow2Header{version: be32(fixed, 4)}
	if h.version != 2 && h.version != 3 {
		return nil, refuse(ErrUnsupported, "version %d: must be 2 or 3", h.version)
	}
	if err := h.readGeometry(fixed, src.Size()); err != nil {
		return nil, err
	}
	first := make([]byte, min(h.clusterSize(), src.Size()))
	if err := readFull(src, first, 0); err != nil {
		return nil, err
	}
	if err := h.readFeatures(first, o); err != nil {
		return nil, err
	}
	if err := checkForeign(fixed); err != nil {
		return nil, err
	}
	if err := checkSize("size", int64(be64(fixed, 24)), o); err != nil {
		return nil, err
	}
	h.size = int64(be64(fixed, 24))
	return h, h.checkTables(src.Size())
}

// readGeometry reads the cluster size, which everything else depends on.
func (h *qcow2Header) readGeometry(b []byte, fileSize int64) error {
	n := be32(b, 20)
	if n < qcow2MinClusterBits || n > qcow2MaxClusterBits {
		return refuse(ErrInconsistent, "cluster_bits %d: must be %d to %d", n, qcow2MinClusterBits, qcow2MaxClusterBits)
	}
	h.clusterBits = uint(n)
	if fileSize>>h.clusterBits >= qcow2MaxClusters {
		return refuse(ErrTooLarge, "file of %d bytes: must be at most %d clusters of %d bytes", fileSize, qcow2MaxClusters, h.clusterSize())
	}
	h.l1Entries, h.l1Offset = int64(be32(b, 36)), int64(be64(b, 40))
	h.refOffset, h.refClusters = int64(be64(b, 48)), int64(be32(b, 56))
	return nil
}

// readFeatures reads what version 3 added, and the header extensions of both versions.
func (h *qcow2Header) readFeatures(first []byte, o Options) error {
	if h.version == 2 {
		_, err := qcow2Extensions(first, qcow2V2Length)
		return err
	}
	if len(first) < qcow2V3Length {
		return refuse(ErrTruncated, "length %d: must be at least %d", len(first), qcow2V3Length)
	}
	length := be32(first, 100)
	if length < qcow2V3Length || length%8 != 0 || int64(length) > h.clusterSize() {
		return refuse(ErrInconsistent, "header_length %d: must be a multiple of 8 from %d to %d", length, qcow2V3Length, h.clusterSize())
	}
	if int64(length) > int64(len(first)) {
		return refuse(ErrTruncated, "header_length %d: file has %d bytes", length, len(first))
	}
	if order := be32(first, 96); order > 6 {
		return refuse(ErrInconsistent, "refcount_order %d: must be at most 6", order)
	}
	names, err := qcow2Extensions(first, int(length))
	if err != nil {
		return err
	}
	if be64(first, 88)&qcow2RawDataFile != 0 {
		return refuse(ErrExternal, "autoclear_features: bit 1 (raw external data)")
	}
	features := be64(first, 72)
	if err := checkIncompatible(features, names); err != nil {
		return err
	}
	if err := h.readExtended(features); err != nil {
		return err
	}
	return h.readCompression(features, first[:length], o)
}

// checkIncompatible refuses the incompatible features that keep the image from being read; names
// are what the image itself calls features.
func checkIncompatible(features uint64, names map[int]string) error {
	switch {
	case features&qcow2DataFile != 0:
		return refuse(ErrExternal, "incompatible_features: bit 2 (external data file)")
	case features&qcow2Corrupt != 0:
		return refuse(ErrInconsistent, "incompatible_features: bit 1 (corrupt): repair the image with qemu-img check -r all")
	case features&qcow2Dirty != 0:
		return refuse(ErrInconsistent, "incompatible_features: bit 0 (dirty): image was not closed; repair it with qemu-img check -r leaks")
	}
	unknown := features &^ (qcow2Compression | qcow2ExtendedL2)
	if unknown == 0 {
		return nil
	}
	bit := bits.TrailingZeros64(unknown)
	if name := names[bit]; name != "" {
		return refuse(ErrUnsupported, "incompatible_features: bit %d (%q)", bit, name)
	}
	return refuse(ErrUnsupported, "incompatible_features: bit %d (unknown)", bit)
}

func (h *qcow2Header) readExtended(features uint64) error {
	h.extended = features&qcow2ExtendedL2 != 0
	if h.extended && h.clusterBits < 14 {
		return refuse(ErrInconsistent, "cluster_bits %d: must be at least 14 with extended L2 entries", h.clusterBits)
	}
	return nil
}

// readCompression reads the compression type; head is the header without its extensions.
func (h *qcow2Header) readCompression(features uint64, head []byte, o Options) error {
	var kind byte
	if len(head) > qcow2V3Length {
		kind = head[qcow2V3Length]
	}
	if (features&qcow2Compression != 0) != (kind != 0) {
		return refuse(ErrInconsistent, "compression_type %d: must be above 0 if and only if incompatible feature bit 3 is set", kind)
	}
	h.compression = compression(kind)
	switch {
	case h.compression > compressedZstd:
		return refuse(ErrUnsupported, "compression_type %d: must be 0 (zlib) or 1 (zstd)", kind)
	case h.compression == compressedZstd && o.Zstd == nil:
		return refuse(ErrUnsupported, "compression_type 1 (zstd): no decompressor was given")
	}
	return nil
}

// checkForeign refuses what names another file, is encrypted or has more than one state.
func checkForeign(b []byte) error {
	if off, n := be64(b, 8), be32(b, 16); off != 0 {
		return refuse(ErrExternal, "backing_file_offset %d, backing_file_size %d: must be 0: flatten the image with qemu-img convert", off, n)
	}
	if m := be32(b, 32); m != 0 {
		return refuse(ErrEncrypted, "crypt_method %d: must be 0", m)
	}
	if n := be32(b, 60); n != 0 {
		return refuse(ErrUnsupported, "nb_snapshots %d: must be 0: flatten the image with qemu-img convert", n)
	}
	return nil
}

// checkTables holds the places of the L1 and the refcount table against the file and each other.
func (h *qcow2Header) checkTables(fileSize int64) error {
	if err := h.checkPlace("l1_table_offset", h.l1Offset, h.l1Entries*8, fileSize, func() error {
		if h.l1Entries*8 > qcow2MaxL1Bytes {
			return refuse(ErrInconsistent, "l1_size %d: must be at most %d", h.l1Entries, qcow2MaxL1Bytes/8)
		}
		if need := h.l1Needed(); h.l1Entries < need {
			return refuse(ErrInconsistent, "l1_size %d: must be at least %d for a disk of %d bytes", h.l1Entries, need, h.size)
		}
		return nil
	}); err != nil {
		return err
	}
	return h.checkPlace("refcount_table_offset", h.refOffset, h.refClusters<<h.clusterBits, fileSize, func() error {
		if n, most := h.refClusters, int64(qcow2MaxRefcount>>h.clusterBits); n < 1 || n > most {
			return refuse(ErrInconsistent, "refcount_table_clusters %d: must be 1 to %d", n, most)
		}
		return nil
	})
}

// checkPlace checks a table's length by limit, then its place.
func (h *qcow2Header) checkPlace(field string, off, length, fileSize int64, limit func() error) error {
	if err := limit(); err != nil {
		return err
	}
	if off < h.clusterSize() || off%h.clusterSize() != 0 {
		return refuse(ErrInconsistent, "%s %d: must be a multiple of %d above 0", field, uint64(off), h.clusterSize())
	}
	if off > fileSize || length > fileSize-off {
		return refuse(ErrTruncated, "%s %d: table of %d bytes ends beyond the file's %d", field, off, length, fileSize)
	}
	return nil
}

func be32(b []byte, off int) uint32 { return binary.BigEndian.Uint32(b[off:]) }
func be64(b []byte, off int) uint64 { return binary.BigEndian.Uint64(b[off:]) }

// inQCOW2 says in which part of a qcow2 image err was found.
func inQCOW2(part string, err error) error { return fmt.Errorf("qcow2 %s: %w", part, err) }
