package diskformat

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"sync"
)

// What is written: version 3, clusters of 64 KiB, reference counts of 16 bits.
const (
	writeBits    = 16
	writeCluster = 1 << writeBits
	writeL2      = writeCluster / 8              // entries of an L2 table
	writeCovered = writeL2 * int64(writeCluster) // guest bytes of an L2 table: 512 MiB
	writeCounts  = writeCluster / 2              // clusters that one refcount block counts
	writeHeader  = qcow2V3Length + 8             // and the end of extensions
)

// qcow2Layout is a qcow2 without compression. The file is header, L1 table, then in the disk's order
// each L2 table with its clusters behind it, then reference counts.
type qcow2Layout struct {
	size int64

	mu     sync.RWMutex
	groups map[int64]*qcow2Group // by L2 table; a KiB for each 512 MiB that hold data
	order  []int64               // the groups' numbers, ascending
	next   int64                 // file offset
	last   int64                 // the highest guest cluster that was added, -1 for none
}

// qcow2Group is the clusters of one L2 table.
type qcow2Group struct {
	at   int64 // file offset of the table; its clusters follow
	used [writeL2 / 64]uint64
}

func newQCOW2Layout(size int64) (Layout, error) {
	if err := checkSize("qcow2: size", size, Options{MaxSize: DefaultMaxSize}); err != nil {
		return nil, err
	}
	l := &qcow2Layout{size: size, groups: map[int64]*qcow2Group{}, last: -1}
	l.next = writeCluster + roundUp(l1Entries(size)*8, writeCluster)
	return l, nil
}

func l1Entries(size int64) int64 { return (size + writeCovered - 1) / writeCovered }

func (l *qcow2Layout) Name() string { return string(OutputQCOW2) }
func (l *qcow2Layout) Unit() int64  { return writeCluster }

func (l *qcow2Layout) Add(at, n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := at >> writeBits; i <= (at+n-1)>>writeBits; i++ {
		g, bit := l.groups[i/writeL2], i%writeL2
		switch {
		case g != nil && g.used[bit/64]&(1<<(bit%64)) != 0:
			continue
		case i < l.last:
			return errDescends(at)
		case g == nil:
			g = &qcow2Group{at: l.next}
			l.groups[i/writeL2] = g
			l.order = append(l.order, i/writeL2)
			l.next += writeCluster
		}
		g.used[bit/64] |= 1 << (bit % 64)
		l.next += writeCluster
		l.last = i
	}
	return nil
}

func errDescends(at int64) error {
	return fmt.Errorf("lay out a disk: data at %d after what follows it", at)
}

func (l *qcow2Layout) Place(at int64) (off, n int64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n = min(writeCluster-at%writeCluster, l.size-at)
	g := l.groups[at/writeCovered]
	if g == nil {
		return 0, min(writeCovered-at%writeCovered, l.size-at), false
	}
	bit := at >> writeBits % writeL2
	if g.used[bit/64]&(1<<(bit%64)) == 0 {
		return 0, n, false
	}
	for next := bit + 1; next < writeL2 && n < l.size-at && g.used[next/64]&(1<<(next%64)) != 0; next++ {
		n = min(n+writeCluster, l.size-at)
	}
	return g.place(bit) + at%writeCluster, n, true
}

// place is where the cluster of a bit that is set lies: clusters lie in order behind the table.
func (g *qcow2Group) place(bit int64) int64 {
	before := 0
	for _, w := range g.used[:bit/64] {
		before += bits.OnesCount64(w)
	}
	before += bits.OnesCount64(g.used[bit/64] & (1<<(bit%64) - 1))
	return g.at + int64(1+before)*writeCluster
}

func (l *qcow2Layout) Finish(w io.WriterAt) (int64, error) {
	l1 := make([]byte, roundUp(l1Entries(l.size)*8, writeCluster))
	table := make([]byte, writeCluster)
	for _, i := range l.order {
		g := l.groups[i]
		binary.BigEndian.PutUint64(l1[8*i:], entryCopied|uint64(g.at))
		clear(table)
		at := g.at
		for bit := range int64(writeL2) {
			if g.used[bit/64]&(1<<(bit%64)) != 0 {
				at += writeCluster
				binary.BigEndian.PutUint64(table[8*bit:], entryCopied|uint64(at))
			}
		}
		if _, err := w.WriteAt(table, g.at); err != nil {
			return 0, err
		}
	}
	if _, err := w.WriteAt(l1, writeCluster); err != nil {
		return 0, err
	}
	return l.writeCounts(w)
}

// writeCounts writes reference counts behind everything, each 1, and the header, which says where.
func (l *qcow2Layout) writeCounts(w io.WriterAt) (int64, error) {
	used := l.next / writeCluster
	var blocks, tables int64
	for total := int64(-1); total != used+blocks+tables; {
		total = used + blocks + tables
		blocks = (total + writeCounts - 1) / writeCounts
		tables = (blocks*8 + writeCluster - 1) / writeCluster
	}
	total := used + blocks + tables
	table := make([]byte, tables*writeCluster)
	block := make([]byte, writeCluster)
	for i := range blocks {
		at := l.next + (tables+i)*writeCluster
		binary.BigEndian.PutUint64(table[8*i:], uint64(at))
		clear(block)
		for k := range min(total-i*writeCounts, writeCounts) {
			binary.BigEndian.PutUint16(block[2*k:], 1)
		}
		if _, err := w.WriteAt(block, at); err != nil {
			return 0, err
		}
	}
	if _, err := w.WriteAt(table, l.next); err != nil {
		return 0, err
	}
	h := newQCOW2Header(l.size, l.next, tables, compressedDeflate)
	if _, err := w.WriteAt(h, 0); err != nil {
		return 0, err
	}
	return total * writeCluster, nil
}

// newQCOW2Header writes the header of a disk whose L1 table is in the second cluster.
func newQCOW2Header(size, counts, countClusters int64, kind compression) []byte {
	b := make([]byte, writeCluster)
	copy(b, "QFI\xfb")
	binary.BigEndian.PutUint32(b[4:], 3)
	binary.BigEndian.PutUint32(b[20:], writeBits)
	binary.BigEndian.PutUint64(b[24:], uint64(size))
	binary.BigEndian.PutUint32(b[36:], uint32(l1Entries(size)))
	binary.BigEndian.PutUint64(b[40:], writeCluster)
	binary.BigEndian.PutUint64(b[48:], uint64(counts))
	binary.BigEndian.PutUint32(b[56:], uint32(countClusters))
	if kind != compressedDeflate {
		binary.BigEndian.PutUint64(b[72:], qcow2Compression)
	}
	binary.BigEndian.PutUint32(b[96:], 4) // refcount_order: 16 bits
	binary.BigEndian.PutUint32(b[100:], writeHeader)
	b[qcow2V3Length] = byte(kind)
	return b // the zeros that follow end the extensions
}
