package diskformat

import (
	"bytes"
	"fmt"
)

// vmdkTableLength is the length of a grain table in bytes.
const vmdkTableLength = vmdkTableEntries * vmdkEntrySize

// check walks all tables once: each lies in the file and has one owner, and so has each grain. Of a
// packed grain the first sector is claimed here; whose it is says its marker, which is read with it.
func (d *vmdk) check() error {
	c := newClaims(d.src.Size(), SectorSize)
	if err := d.claimHeader(c); err != nil {
		return inVMDK("header", err)
	}
	cur := &vmdkCursor{d: d}
	for t, sector := range d.directory {
		if sector == 0 {
			continue
		}
		if err := d.checkTable(cur, c, int64(t), int64(sector)*SectorSize); err != nil {
			return err
		}
	}
	if d.redundantAt == 0 {
		return nil
	}
	if err := d.checkRedundant(c); err != nil {
		return inVMDK("redundant grain directory", err)
	}
	return nil
}

// claimHeader takes what every file has: header, descriptor, directory, and footer.
func (d *vmdk) claimHeader(c *claims) error {
	whole := func(n int64) int64 { return (n + SectorSize - 1) / SectorSize * SectorSize }
	places := []extent{{0, SectorSize}, {d.descriptorAt, d.descriptorAt + d.descriptor},
		{d.directoryAt, d.directoryAt + whole(d.tableCount()*vmdkEntrySize)}}
	if d.redundantAt > 0 {
		places = append(places, extent{d.redundantAt, d.redundantAt + whole(d.tableCount()*vmdkEntrySize)})
	}
	if d.footer {
		places = append(places, extent{c.fileSize - 3*SectorSize, c.fileSize})
	}
	for _, p := range places {
		if err := c.claim(p.begin, p.end-p.begin, 0); err != nil {
			return err
		}
	}
	return nil
}

// checkTable checks the t-th grain table and all of its grains that are on the disk.
func (d *vmdk) checkTable(cur *vmdkCursor, c *claims, t, at int64) error {
	if err := c.claim(at, vmdkTableLength, vmdkTableLength); err != nil {
		return inVMDK(fmt.Sprintf("grain directory, entry %d", t), err)
	}
	first, grains := t*vmdkTableEntries, (d.size+d.grainSize-1)/d.grainSize
	for i := first; i < min(first+vmdkTableEntries, grains); i++ {
		place, err := cur.entry(at, i-first)
		switch {
		case err != nil || place == 0:
		case d.packed:
			err = c.claim(place, SectorSize, vmdkMarker+1)
		default:
			err = c.claim(place, d.grainSize, min(d.grainSize, d.size-i*d.grainSize))
		}
		if err != nil {
			return d.errGrain(i, err)
		}
	}
	return nil
}

// checkRedundant checks that the second directory leads to tables of its own that say the same.
func (d *vmdk) checkRedundant(c *claims) error {
	second, err := d.readDirectory(d.src, d.redundantAt)
	if err != nil {
		return err
	}
	one, two := make([]byte, vmdkTableLength), make([]byte, vmdkTableLength)
	for t, sector := range second {
		if (sector == 0) != (d.directory[t] == 0) {
			return refuse(ErrInconsistent, "entry %d, sector %d: must have a table where the first directory has one", t, sector)
		}
		if sector == 0 {
			continue
		}
		at := int64(sector) * SectorSize
		if err := c.claim(at, vmdkTableLength, vmdkTableLength); err != nil {
			return fmt.Errorf("entry %d: %w", t, err)
		}
		if err := readFull(d.src, one, int64(d.directory[t])*SectorSize); err != nil {
			return err
		}
		if err := readFull(d.src, two, at); err != nil {
			return err
		}
		if !bytes.Equal(one, two) {
			return refuse(ErrInconsistent, "entry %d: table at %d must be equal to the first one at %d", t, at, int64(d.directory[t])*SectorSize)
		}
	}
	return nil
}
