package diskformat

import "fmt"

// vhdx is a fixed or dynamic disk in a VHDX file ([MS-VHDX], version 8.0). Its block allocation table
// is read when it is needed, a page at a time.
type vhdx struct {
	vhdxParameters
	src   Source
	bat   vhdxRegion
	table *pages
}

// The states of a payload block.
const (
	vhdxNotPresent       = 0
	vhdxUndefined        = 1
	vhdxZero             = 2
	vhdxUnmapped         = 3
	vhdxFullyPresent     = 6
	vhdxPartiallyPresent = 7
)

const (
	vhdxEntrySize     = 8
	vhdxEntryState    = 0x7
	vhdxEntryReserved = vhdxMiB - 1 - vhdxEntryState
)

func openVHDX(src Source, o Options) (Disk, error) {
	h, err := readVHDXHeader(src)
	if err != nil {
		return nil, err
	}
	regions, err := readVHDXRegions(src)
	if err != nil {
		return nil, inVHDX("region table", err)
	}
	p, err := readVHDXMetadata(src, regions.metadata, o)
	if err != nil {
		return nil, inVHDX("metadata", err)
	}
	d := &vhdx{vhdxParameters: p, src: src, bat: regions.bat, table: newPages(src, tablePage)}
	if need := d.entries() * vhdxEntrySize; d.bat.length < need {
		return nil, inVHDX("region table", refuse(ErrInconsistent,
			"length %d of the block allocation table: must be at least %d for a disk of %d bytes", d.bat.length, need, d.size))
	}
	c := newClaims(src.Size(), vhdxMiB)
	if err := regions.claim(c, h); err != nil {
		return nil, inVHDX("region table", err)
	}
	return d, d.check(c)
}

// blocks is the number of payload blocks.
func (d *vhdx) blocks() int64 { return (d.size + d.blockSize - 1) / d.blockSize }

// entries is the number of the table's entries: one of a sector bitmap follows each chunkRatio
// entries of payload blocks, but not the last ones.
func (d *vhdx) entries() int64 { return d.blocks() + (d.blocks()-1)/d.chunkRatio() }

// check walks the table once, and holds every block's place against the file and all others.
func (d *vhdx) check(c *claims) error {
	cur := &vhdxCursor{d: d}
	for i := range d.blocks() {
		place, err := cur.block(i)
		if err == nil && place > 0 {
			err = c.claim(place, d.blockSize, min(d.blockSize, d.size-i*d.blockSize))
		}
		if err != nil {
			return d.errBlock(i, err)
		}
	}
	for i := int64(0); i < (d.blocks()-1)/d.chunkRatio(); i++ {
		at := i*(d.chunkRatio()+1) + d.chunkRatio()
		entry, err := cur.entry(at)
		if err == nil && entry&vhdxEntryState != 0 {
			err = refuse(ErrInconsistent, "entry %#016x: sector bitmap must not be present in a disk without parent", entry)
		}
		if err != nil {
			return inVHDX(fmt.Sprintf("block allocation table, entry %d", at), err)
		}
	}
	return nil
}

func (d *vhdx) Size() int64    { return d.size }
func (d *vhdx) Format() Format { return VHDX }
func (d *vhdx) Close() error   { return nil }

func (d *vhdx) ReadAt(p []byte, off int64) (int, error) {
	return readRuns(&vhdxCursor{d: d}, d.src, p, off, d.size)
}

func (d *vhdx) NextData(off int64) (start, end int64, err error) {
	return nextRun(&vhdxCursor{d: d}, d.src, off, d.size)
}

// vhdxCursor is the mapper of one call.
type vhdxCursor struct {
	d    *vhdx
	view pageView
}

func (c *vhdxCursor) entry(i int64) (uint64, error) {
	b, err := c.view.at(c.d.table, c.d.bat.offset+i*vhdxEntrySize, vhdxEntrySize)
	if err != nil {
		return 0, err
	}
	return le64(b, 0), nil
}

// block returns the place of a payload block, 0 for one that reads as zeros.
func (c *vhdxCursor) block(i int64) (int64, error) {
	entry, err := c.entry(i + i/c.d.chunkRatio())
	if err != nil {
		return 0, err
	}
	switch state := entry & vhdxEntryState; state {
	case vhdxNotPresent, vhdxUndefined, vhdxZero, vhdxUnmapped:
		return 0, nil
	case vhdxFullyPresent:
		return vhdxPlace(entry)
	case vhdxPartiallyPresent:
		return 0, refuse(ErrExternal, "entry %#016x: state 7 (partially present): must not be in a disk without parent", entry)
	default:
		return 0, refuse(ErrInconsistent, "entry %#016x: state %d: must be 0, 1, 2, 3 or 6", entry, state)
	}
}

// vhdxPlace decodes the file offset of a block that is present.
func vhdxPlace(entry uint64) (int64, error) {
	place := int64(entry &^ (vhdxMiB - 1))
	switch {
	case entry&vhdxEntryReserved != 0:
		return 0, refuse(ErrInconsistent, "entry %#016x: reserved bits %#x must be 0", entry, entry&vhdxEntryReserved)
	case place < vhdxMiB:
		return 0, refuse(ErrInconsistent, "entry %#016x: offset must be at least %d", entry, vhdxMiB)
	}
	return place, nil
}

// run implements mapper.
func (c *vhdxCursor) run(off int64) (run, error) {
	block, in := off/c.d.blockSize, off%c.d.blockSize
	place, err := c.block(block)
	if err != nil {
		return run{}, c.d.errBlock(block, err)
	}
	if place == 0 {
		return run{kind: zeros, n: c.d.blockSize - in}, nil
	}
	return run{kind: plain, n: c.d.blockSize - in, host: place + in}, nil
}

// unpack implements mapper: a VHDX has no packed runs.
func (c *vhdxCursor) unpack([]byte, run) error { return ErrUnsupported }

func (d *vhdx) errBlock(i int64, err error) error {
	return inVHDX(fmt.Sprintf("block allocation table, block %d", i), err)
}

// inVHDX says in which part of a VHDX err was found.
func inVHDX(part string, err error) error { return fmt.Errorf("vhdx %s: %w", part, err) }
