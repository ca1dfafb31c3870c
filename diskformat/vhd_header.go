package diskformat

import (
	"encoding/binary"
	"fmt"
)

const (
	vhdCookie       = "conectix"
	vhdHeaderCookie = "cxsparse"
	vhdHeaderLength = 1024
	vhdUnused       = 0xffff_ffff // a BAT entry without a block
	// Bounds of the reader. Hyper-V makes blocks of 512 KiB and 2 MiB; with the smaller ones a
	// table of vhdMaxBlocks, 16 MiB, covers the 2 TiB that the format can address.
	vhdMinBlock  = 4 << 10
	vhdMaxBlock  = 256 << 20
	vhdMaxBlocks = 4 << 20
)

// The disk types of a footer.
const (
	vhdFixed        = 2
	vhdDynamic      = 3
	vhdDifferencing = 4
)

// vhdFooter is the part of a footer that reading needs. The size is the current one; the geometry
// is rounded and says nothing of the bytes.
type vhdFooter struct {
	dataOffset int64
	size       int64
	kind       uint32
	id         [16]byte
}

// decodeVHDFooter decodes and checks a footer of SectorSize bytes.
func decodeVHDFooter(b []byte, o Options) (vhdFooter, error) {
	var f vhdFooter
	if string(b[:8]) != vhdCookie {
		return f, refuse(ErrTruncated, "cookie %q: must be %q", b[:8], vhdCookie)
	}
	if err := checkVHDSum(b, 64); err != nil {
		return f, err
	}
	if v := be32(b, 12); v>>16 != 1 {
		return f, refuse(ErrUnsupported, "file_format_version %#08x: must be 1.x", v)
	}
	f.dataOffset, f.size, f.kind = int64(be64(b, 16)), int64(be64(b, 48)), be32(b, 60)
	copy(f.id[:], b[68:])
	switch f.kind {
	case vhdFixed, vhdDynamic:
	case vhdDifferencing:
		return f, refuse(ErrExternal, "disk_type 4 (differencing): must be 2 (fixed) or 3 (dynamic)")
	default:
		return f, refuse(ErrUnsupported, "disk_type %d: must be 2 (fixed) or 3 (dynamic)", f.kind)
	}
	if b[84] != 0 {
		return f, refuse(ErrUnsupported, "saved_state %d: must be 0: shut the machine down", b[84])
	}
	return f, checkSize("current_size", f.size, o)
}

// vhdHeader is the header of a dynamic disk.
type vhdHeader struct {
	tableOffset int64
	entries     int64 // of the block allocation table, as declared
	blockSize   int64 // bytes of data in a block
}

// decodeVHDHeader decodes and checks the header of a dynamic disk of this size.
func decodeVHDHeader(b []byte, size int64) (vhdHeader, error) {
	var h vhdHeader
	if string(b[:8]) != vhdHeaderCookie {
		return h, refuse(ErrInconsistent, "cookie %q: must be %q", b[:8], vhdHeaderCookie)
	}
	if err := checkVHDSum(b, 36); err != nil {
		return h, err
	}
	if v := be32(b, 24); v>>16 != 1 {
		return h, refuse(ErrUnsupported, "header_version %#08x: must be 1.x", v)
	}
	h.tableOffset, h.entries, h.blockSize = int64(be64(b, 16)), int64(be32(b, 28)), int64(be32(b, 32))
	if h.blockSize < vhdMinBlock || h.blockSize > vhdMaxBlock || h.blockSize&(h.blockSize-1) != 0 {
		return h, refuse(ErrInconsistent, "block_size %d: must be a power of two from %d to %d", h.blockSize, vhdMinBlock, vhdMaxBlock)
	}
	if need := h.blocks(size); h.entries < need || h.entries > vhdMaxBlocks {
		return h, refuse(ErrInconsistent, "max_table_entries %d: must be %d to %d for a disk of %d bytes", h.entries, need, vhdMaxBlocks, size)
	}
	return h, checkVHDParent(b)
}

// blocks is the number of blocks that cover the disk.
func (h *vhdHeader) blocks(size int64) int64 { return (size + h.blockSize - 1) / h.blockSize }

// bitmapSize is the length of the bitmap before a block's data: a bit per sector, in whole sectors.
func (h *vhdHeader) bitmapSize() int64 {
	sectors := h.blockSize / SectorSize
	return (sectors/8 + SectorSize - 1) / SectorSize * SectorSize
}

// checkVHDParent refuses a dynamic disk that names a parent all the same.
func checkVHDParent(b []byte) error {
	const parentID, locators, locatorSize = 40, 576, 24
	if [16]byte(b[parentID:]) != [16]byte{} {
		return refuse(ErrExternal, "parent_unique_id %x: must be 0 in a dynamic disk", b[parentID:][:16])
	}
	for i := range 8 {
		if code := be32(b, locators+i*locatorSize); code != 0 {
			return refuse(ErrExternal, "parent_locator %d: platform code %#08x: must be 0 in a dynamic disk", i, code)
		}
	}
	return nil
}

// checkVHDSum checks a header's checksum, whose field is at off: the complement of the sum of all
// other bytes.
func checkVHDSum(b []byte, off int) error {
	if got, want := be32(b, off), vhdSum(b, off); got != want {
		return refuse(ErrInconsistent, "checksum %#08x: must be %#08x", got, want)
	}
	return nil
}

func vhdSum(b []byte, off int) uint32 {
	var sum uint32
	for i, c := range b {
		if i < off || i >= off+4 {
			sum += uint32(c)
		}
	}
	return ^sum
}

// readVHDTable reads the entries of the block allocation table that cover the disk. Their number
// has been checked.
func readVHDTable(src Source, h vhdHeader, blocks int64) ([]uint32, error) {
	const step = 64 << 10
	table := make([]uint32, 0, blocks)
	buf := make([]byte, min(step, blocks*4))
	for at := int64(0); at < blocks*4; at += step {
		b := buf[:min(int64(len(buf)), blocks*4-at)]
		if err := readFull(src, b, h.tableOffset+at); err != nil {
			return nil, err
		}
		for ; len(b) > 0; b = b[4:] {
			table = append(table, binary.BigEndian.Uint32(b))
		}
	}
	return table, nil
}

// inVHD says in which part of a VHD err was found.
func inVHD(part string, err error) error { return fmt.Errorf("vhd %s: %w", part, err) }
