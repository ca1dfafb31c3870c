package diskformat

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// vhdBitmaps is how many blocks' bitmaps are kept: of 512 bytes with the usual block size, of
// 64 KiB at most.
const vhdBitmaps = 64

// openVHD opens a fixed or dynamic VHD by the footer at its end.
func openVHD(src Source, o Options) (Disk, error) {
	if src.Size() < SectorSize {
		return nil, inVHD("footer", refuse(ErrTruncated, "length %d: must be at least %d", src.Size(), SectorSize))
	}
	last := make([]byte, SectorSize)
	if err := readFull(src, last, src.Size()-SectorSize); err != nil {
		return nil, inVHD("footer", err)
	}
	f, err := decodeVHDFooter(last, o)
	if err != nil {
		return nil, inVHD("footer", err)
	}
	if f.kind == vhdFixed {
		if src.Size() != f.size+SectorSize {
			return nil, inVHD("footer", refuse(ErrInconsistent, "current_size %d: file must have %d bytes, has %d", f.size, f.size+SectorSize, src.Size()))
		}
		return &raw{src: src, size: f.size, format: VHD}, nil
	}
	return openDynamicVHD(src, f, o)
}

// vhd is a dynamic disk. The allocation table is in memory: at most 16 MiB, 4 MiB for the usual
// block size.
type vhd struct {
	vhdHeader
	src     Source
	size    int64
	table   []uint32 // sector of the file by block, or vhdUnused
	bitmaps *cache[int64, []byte]
}

func openDynamicVHD(src Source, f vhdFooter, o Options) (Disk, error) {
	if err := checkVHDCopy(src, f, o); err != nil {
		return nil, inVHD("footer copy", err)
	}
	fileSize := src.Size()
	if f.dataOffset < SectorSize || f.dataOffset%SectorSize != 0 {
		return nil, inVHD("footer", refuse(ErrInconsistent, "data_offset %d: must be a multiple of %d above 0", uint64(f.dataOffset), SectorSize))
	}
	if f.dataOffset > fileSize-SectorSize-vhdHeaderLength {
		return nil, inVHD("footer", refuse(ErrTruncated, "data_offset %d: header ends beyond the file's %d bytes", f.dataOffset, fileSize))
	}
	b := make([]byte, vhdHeaderLength)
	if err := readFull(src, b, f.dataOffset); err != nil {
		return nil, inVHD("header", err)
	}
	h, err := decodeVHDHeader(b, f.size)
	if err != nil {
		return nil, inVHD("header", err)
	}
	if h.tableOffset < SectorSize || h.tableOffset%SectorSize != 0 {
		return nil, inVHD("header", refuse(ErrInconsistent, "table_offset %d: must be a multiple of %d above 0", uint64(h.tableOffset), SectorSize))
	}
	if h.tableOffset > fileSize-SectorSize-h.entries*4 {
		return nil, inVHD("header", refuse(ErrTruncated, "table_offset %d: %d entries end beyond the file's %d bytes", h.tableOffset, h.entries, fileSize))
	}
	d := &vhd{vhdHeader: h, src: src, size: f.size, bitmaps: newCache[int64, []byte](vhdBitmaps)}
	if d.table, err = readVHDTable(src, h, h.blocks(f.size)); err != nil {
		return nil, inVHD("block allocation table", err)
	}
	return d, d.check(f.dataOffset)
}

// checkVHDCopy holds the copy of the footer at the file's begin against the footer.
func checkVHDCopy(src Source, f vhdFooter, o Options) error {
	first := make([]byte, SectorSize)
	if err := readFull(src, first, 0); err != nil {
		return err
	}
	if !bytes.HasPrefix(first, []byte(vhdCookie)) {
		return refuse(ErrInconsistent, "cookie %q: must be %q", first[:8], vhdCookie)
	}
	c, err := decodeVHDFooter(first, o)
	if err != nil {
		return err
	}
	if c != f {
		return refuse(ErrInconsistent, "type %d, size %d, data_offset %d, id %x: must be the footer's %d, %d, %d, %x",
			c.kind, c.size, c.dataOffset, c.id, f.kind, f.size, f.dataOffset, f.id)
	}
	return nil
}

// extent is a stretch of the file that has one owner.
type extent struct{ begin, end int64 }

// check holds every block's place against the file and against all others, so that a small file
// cannot pretend to be a large disk.
func (d *vhd) check(headerOffset int64) error {
	extents := []extent{
		{0, SectorSize},
		{headerOffset, headerOffset + vhdHeaderLength},
		{d.tableOffset, d.tableOffset + d.entries*4},
	}
	most := d.src.Size()/d.blockSize + 1 // blocks that the file has room for
	for i, sector := range d.table {
		if sector == vhdUnused {
			continue
		}
		begin := int64(sector) * SectorSize
		end := begin + d.bitmapSize() + min(d.blockSize, d.size-int64(i)*d.blockSize)
		if end > d.src.Size()-SectorSize {
			return d.errBlock(int64(i), refuse(ErrTruncated, "sector %d: block ends at %d, beyond the file's %d bytes and footer", sector, end, d.src.Size()))
		}
		if extents = append(extents, extent{begin, end}); int64(len(extents)-3) > most {
			return d.errBlock(int64(i), refuse(ErrInconsistent, "blocks overlap: file has room for %d", most))
		}
	}
	slices.SortFunc(extents, func(a, b extent) int { return cmp.Compare(a.begin, b.begin) })
	for i := 1; i < len(extents); i++ {
		if extents[i].begin < extents[i-1].end {
			return inVHD("block allocation table", refuse(ErrInconsistent,
				"offset %d: must not lie in what begins at %d", extents[i].begin, extents[i-1].begin))
		}
	}
	return nil
}

func (d *vhd) Size() int64    { return d.size }
func (d *vhd) Format() Format { return VHD }
func (d *vhd) Close() error   { return nil }

func (d *vhd) ReadAt(p []byte, off int64) (int, error) {
	return readRuns(d, d.src, p, off, d.size)
}

func (d *vhd) NextData(off int64) (start, end int64, err error) {
	return nextRun(d, d.src, off, d.size)
}

// run implements mapper. A sector whose bit is 0 is zeros, whatever lies there.
func (d *vhd) run(off int64) (run, error) {
	block, in := off/d.blockSize, off%d.blockSize
	if d.table[block] == vhdUnused {
		return run{kind: zeros, n: d.blockSize - in}, nil
	}
	place := int64(d.table[block]) * SectorSize
	bitmap, err := d.bitmaps.get(block, func() ([]byte, error) {
		b := make([]byte, d.bitmapSize())
		return b, readFull(d.src, b, place)
	})
	if err != nil {
		return run{}, d.errBlock(block, err)
	}
	sector := in / SectorSize
	end := sameBits(bitmap, sector, d.blockSize/SectorSize) * SectorSize
	if bitmap[sector/8]&(0x80>>(sector%8)) == 0 {
		return run{kind: zeros, n: end - in}, nil
	}
	return run{kind: plain, n: end - in, host: place + d.bitmapSize() + in}, nil
}

// unpack implements mapper: a VHD has no packed runs.
func (d *vhd) unpack([]byte, run) error { return ErrUnsupported }

func (d *vhd) errBlock(i int64, err error) error {
	return inVHD(fmt.Sprintf("block allocation table, block %d", i), err)
}

// sameBits returns the end, at most limit, of the run of equal bits that holds bit i. The first
// bit of a byte is its highest.
func sameBits(bitmap []byte, i, limit int64) int64 {
	set := bitmap[i/8]&(0x80>>(i%8)) != 0
	whole := byte(0)
	if set {
		whole = 0xff
	}
	for i < limit {
		if i%8 == 0 && bitmap[i/8] == whole {
			i += 8
			continue
		}
		if (bitmap[i/8]&(0x80>>(i%8)) != 0) != set {
			break
		}
		i++
	}
	return min(i, limit)
}
