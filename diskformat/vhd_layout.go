package diskformat

import (
	"encoding/binary"
	"io"
	"sync"
	"time"
)

const (
	// vhdWriteMax is the largest VHD that Hyper-V and Azure take: 2,040 GiB.
	vhdWriteMax   = 2040 << 30
	vhdWriteBlock = 2 << 20
	// vhdAlign is where blocks' data begins, so that it lies on the file system's blocks; the bitmap is
	// the sector before.
	vhdAlign = 4 << 10
)

// vhdLayout is a dynamic VHD. Blocks lie in the order of the disk, all sectors of a block are data.
type vhdLayout struct {
	size   int64
	footer []byte

	mu    sync.RWMutex
	table []uint32 // sector of the block's bitmap, or vhdUnused; at most 1,044,480 entries, 4 MiB
	next  int64    // file offset of the next block's data
	last  int64    // the highest block that was added, -1 for none
}

func newVHDLayout(size int64, id [16]byte, made time.Time) (Layout, error) {
	footer, err := newVHDFooter(size, id, made)
	if err != nil {
		return nil, err
	}
	l := &vhdLayout{size: size, footer: footer, table: make([]uint32, (size+vhdWriteBlock-1)/vhdWriteBlock), last: -1}
	for i := range l.table {
		l.table[i] = vhdUnused
	}
	binary.BigEndian.PutUint64(footer[16:], SectorSize) // data offset: the header follows the footer's copy
	binary.BigEndian.PutUint32(footer[60:], vhdDynamic)
	binary.BigEndian.PutUint32(footer[64:], vhdSum(footer, 64))
	l.next = roundUp(vhdTableAt+int64(len(l.table))*4+SectorSize, vhdAlign)
	return l, nil
}

// vhdTableAt is where the table lies: behind the footer's copy and the header.
const vhdTableAt = SectorSize + vhdHeaderLength

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

func (l *vhdLayout) Name() string { return string(OutputVHDDynamic) }
func (l *vhdLayout) Unit() int64  { return vhdWriteBlock }

func (l *vhdLayout) Add(at, n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := at / vhdWriteBlock; i <= (at+n-1)/vhdWriteBlock; i++ {
		switch {
		case l.table[i] != vhdUnused:
		case i < l.last:
			return errDescends(at)
		default:
			l.last, l.table[i] = i, uint32((l.next-SectorSize)/SectorSize)
			l.next += vhdWriteBlock + vhdAlign
		}
	}
	return nil
}

func (l *vhdLayout) Place(at int64) (off, n int64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i, in := at/vhdWriteBlock, at%vhdWriteBlock
	n = min(vhdWriteBlock-in, l.size-at)
	if l.table[i] == vhdUnused {
		return 0, n, false
	}
	return int64(l.table[i])*SectorSize + SectorSize + in, n, true
}

func (l *vhdLayout) Finish(w io.WriterAt) (int64, error) {
	bitmap := make([]byte, SectorSize)
	for i := range bitmap {
		bitmap[i] = 0xff
	}
	table := make([]byte, roundUp(int64(len(l.table))*4, SectorSize))
	for i := range table {
		table[i] = 0xff
	}
	end := roundUp(vhdTableAt+int64(len(table)), SectorSize)
	for i, sector := range l.table {
		binary.BigEndian.PutUint32(table[4*i:], sector)
		if sector == vhdUnused {
			continue
		}
		if _, err := w.WriteAt(bitmap, int64(sector)*SectorSize); err != nil {
			return 0, err
		}
		end = int64(sector)*SectorSize + SectorSize + vhdWriteBlock
	}
	for _, part := range []struct {
		b  []byte
		at int64
	}{{l.footer, 0}, {l.header(), SectorSize}, {table, vhdTableAt}, {l.footer, end}} {
		if _, err := w.WriteAt(part.b, part.at); err != nil {
			return 0, err
		}
	}
	return end + SectorSize, nil
}

// header is the header of a dynamic disk.
func (l *vhdLayout) header() []byte {
	b := make([]byte, vhdHeaderLength)
	copy(b, vhdHeaderCookie)
	binary.BigEndian.PutUint64(b[8:], 1<<64-1) // data offset: none
	binary.BigEndian.PutUint64(b[16:], vhdTableAt)
	binary.BigEndian.PutUint32(b[24:], 0x0001_0000)
	binary.BigEndian.PutUint32(b[28:], uint32(len(l.table)))
	binary.BigEndian.PutUint32(b[32:], vhdWriteBlock)
	binary.BigEndian.PutUint32(b[36:], vhdSum(b, 36))
	return b
}
