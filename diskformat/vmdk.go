package diskformat

import (
	"fmt"
	"sync"
)

// vmdkGrains is how many bytes of unpacked grains are kept.
const vmdkGrains = 8 << 20

// vmdk is a disk in one self-contained VMDK file: monolithicSparse, or streamOptimized with packed
// grains ("Virtual Disk Format 5.0", VMware 2011). The grain directory is in memory, the grain tables
// are read when they are needed, a page at a time.
type vmdk struct {
	*vmdkHeader
	src       Source
	directory []uint32 // sector of the file by grain table, 0 for none
	tables    *pages
	grains    *cache[int64, []byte] // unpacked grains by number

	inputs  sync.Pool // of *[]byte, each vmdkPackedLimit long
	inflate sync.Pool // of io.ReadCloser and zlib.Resetter
}

func openVMDK(src Source, o Options) (Disk, error) {
	h, err := readVMDKHeader(src, o)
	if err != nil {
		return nil, err
	}
	d := &vmdk{vmdkHeader: h, src: src, tables: newPages(src, tablePage), grains: newCache[int64, []byte](int(max(vmdkGrains/h.grainSize, 2)))}
	if d.directory, err = h.readDirectory(src, h.directoryAt); err != nil {
		return nil, inVMDK("grain directory", err)
	}
	return d, d.check()
}

func (d *vmdk) Size() int64    { return d.size }
func (d *vmdk) Format() Format { return VMDK }
func (d *vmdk) Close() error   { return nil }

func (d *vmdk) ReadAt(p []byte, off int64) (int, error) {
	return readRuns(&vmdkCursor{d: d}, d.src, p, off, d.size)
}

func (d *vmdk) NextData(off int64) (start, end int64, err error) {
	return nextRun(&vmdkCursor{d: d}, d.src, off, d.size)
}

// vmdkCursor is the mapper of one call.
type vmdkCursor struct {
	d    *vmdk
	view pageView
}

// grain returns the place of a grain, 0 for one of zeros.
func (c *vmdkCursor) grain(i int64) (int64, error) {
	table := c.d.directory[i/vmdkTableEntries]
	if table == 0 {
		return 0, nil
	}
	return c.entry(int64(table)*SectorSize, i%vmdkTableEntries)
}

// entry decodes an entry of the grain table at a file offset.
func (c *vmdkCursor) entry(table, i int64) (int64, error) {
	b, err := c.view.at(c.d.tables, table+i*vmdkEntrySize, vmdkEntrySize)
	if err != nil {
		return 0, err
	}
	switch sector := int64(le32(b, 0)); {
	case sector == 0 || sector == vmdkZeroGrain && c.d.zeroGrains:
		return 0, nil
	default:
		return sector * SectorSize, nil
	}
}

// run implements mapper.
func (c *vmdkCursor) run(off int64) (run, error) {
	i, in := off/c.d.grainSize, off%c.d.grainSize
	left := c.d.grainSize - in
	if c.d.directory[i/vmdkTableEntries] == 0 { // no table: none of its grains
		covered := c.d.grainSize * vmdkTableEntries
		return run{kind: zeros, n: covered - off%covered}, nil
	}
	place, err := c.grain(i)
	switch {
	case err != nil:
		return run{}, c.d.errGrain(i, err)
	case place == 0:
		return run{kind: zeros, n: left}, nil
	case c.d.packed:
		return run{kind: packed, n: left, host: place, skip: in, stored: i}, nil
	default:
		return run{kind: plain, n: left, host: place + in}, nil
	}
}

// unpack implements mapper. The run's stored is the grain's number: how long the grain is, is known
// from its marker.
func (c *vmdkCursor) unpack(dst []byte, r run) error {
	whole := min(c.d.grainSize, c.d.size-r.stored*c.d.grainSize) // the last grain may hold just what the disk has
	if int64(len(dst)) == whole {
		return c.d.unpackGrain(dst, r)
	}
	b, err := c.d.grains.get(r.stored, func() ([]byte, error) {
		b := make([]byte, whole)
		return b, c.d.unpackGrain(b, r)
	})
	if err == nil {
		copy(dst, b[r.skip:])
	}
	return err
}

func (d *vmdk) errGrain(i int64, err error) error {
	return inVMDK(fmt.Sprintf("grain table, grain %d", i), err)
}

// readDirectory reads the entries of a grain directory that cover the disk. Their number has been checked.
func (h *vmdkHeader) readDirectory(src Source, at int64) ([]uint32, error) {
	if at > src.Size()-h.tableCount()*vmdkEntrySize {
		return nil, refuse(ErrTruncated, "offset %d: %d entries end beyond the file's %d bytes", at, h.tableCount(), src.Size())
	}
	out := make([]uint32, 0, h.tableCount())
	buf := make([]byte, min(tablePage, h.tableCount()*vmdkEntrySize))
	for left := h.tableCount() * vmdkEntrySize; left > 0; left -= int64(len(buf)) {
		b := buf[:min(int64(len(buf)), left)]
		if err := readFull(src, b, at); err != nil {
			return nil, err
		}
		at += int64(len(b))
		for ; len(b) > 0; b = b[vmdkEntrySize:] {
			out = append(out, le32(b, 0))
		}
	}
	return out, nil
}

// inVMDK says in which part of a VMDK err was found.
func inVMDK(part string, err error) error { return fmt.Errorf("vmdk %s: %w", part, err) }
