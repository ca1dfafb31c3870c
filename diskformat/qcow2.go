package diskformat

import (
	"fmt"
	"math/bits"
	"sync"
)

// Memory of one open image beside its tables' pages, whatever its size: unpacked clusters of
// clusterCache bytes in all, though at least minClusters.
const (
	clusterCache = 8 << 20
	minClusters  = 2
	maxClusters  = 1024
)

// qcow2 is a disk in a qcow2 image. Tables are read when they are needed, a page at a time.
type qcow2 struct {
	*qcow2Header
	src  Source
	zstd Decompressor

	tables   *pages                   // no longer than a cluster, so that no table begins within one
	clusters *cache[[2]int64, []byte] // unpacked clusters by place and length of the compressed bytes

	inputs  sync.Pool // of *[]byte, each as long as compressed bytes may be
	inflate sync.Pool // of io.ReadCloser and flate.Resetter
}

func openQCOW2(src Source, o Options) (Disk, error) {
	h, err := readQCOW2Header(src, o)
	if err != nil {
		return nil, inQCOW2("header", err)
	}
	q := &qcow2{
		qcow2Header: h,
		src:         src,
		zstd:        o.Zstd,
		tables:      newPages(src, min(h.clusterSize(), tablePage)),
		clusters:    newCache[[2]int64, []byte](min(max(clusterCache>>h.clusterBits, minClusters), maxClusters)),
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	return q, nil
}

func (q *qcow2) Size() int64    { return q.size }
func (q *qcow2) Format() Format { return QCOW2 }
func (q *qcow2) Close() error   { return nil }

func (q *qcow2) ReadAt(p []byte, off int64) (int, error) {
	n, err := readRuns(&qcow2Cursor{q: q}, q.src, p, off, q.size)
	return n, err
}

func (q *qcow2) NextData(off int64) (start, end int64, err error) {
	return nextRun(&qcow2Cursor{q: q}, q.src, off, q.size)
}

// qcow2Cursor is the mapper of one call. It holds on to the page of the L1 table and the page of
// an L2 table that it used last.
type qcow2Cursor struct {
	q  *qcow2
	l1 pageView
	l2 pageView
}

// l2Table returns the place of the i-th L2 table, 0 for none.
func (c *qcow2Cursor) l2Table(i int64) (int64, error) {
	b, err := c.l1.at(c.q.tables, c.q.l1Offset+i*8, 8)
	if err != nil {
		return 0, inQCOW2(fmt.Sprintf("L1 table, entry %d", i), err)
	}
	off, err := c.q.l2Offset(be64(b, 0))
	if err != nil {
		return 0, inQCOW2(fmt.Sprintf("L1 table, entry %d", i), err)
	}
	return off, nil
}

// cluster decodes the entry of guest cluster i in the L2 table at a file offset.
func (c *qcow2Cursor) cluster(table, i int64) (cluster, error) {
	index := i & (1<<c.q.l2Bits() - 1)
	b, err := c.l2.at(c.q.tables, table+index*c.q.entrySize(), c.q.entrySize())
	if err != nil {
		return cluster{}, inQCOW2(fmt.Sprintf("L2 table, guest cluster %d", i), err)
	}
	cl, err := c.q.decodeCluster(b)
	if err != nil {
		return cluster{}, inQCOW2(fmt.Sprintf("L2 table, guest cluster %d", i), err)
	}
	return cl, nil
}

func (c *qcow2Cursor) run(off int64) (run, error) {
	q := c.q
	covered := q.clusterBits + q.l2Bits()
	table, err := c.l2Table(off >> covered)
	if err != nil {
		return run{}, err
	}
	if table == 0 {
		return run{kind: zeros, n: (off>>covered+1)<<covered - off}, nil
	}
	cl, err := c.cluster(table, off>>q.clusterBits)
	if err != nil {
		return run{}, err
	}
	return q.within(cl, off&(q.clusterSize()-1)), nil
}

// within returns the run that begins skip bytes into a cluster and ends in it.
func (q *qcow2) within(cl cluster, skip int64) run {
	left := q.clusterSize() - skip
	if cl.kind != plain {
		return run{kind: cl.kind, n: left, host: cl.host, stored: cl.stored, skip: skip}
	}
	if cl.data == allSubclusters {
		return run{kind: plain, n: left, host: cl.host + skip}
	}
	subBits := q.clusterBits - 5
	first := uint(skip >> subBits)
	state := cl.data >> first
	alike := bits.TrailingZeros32(^state)
	if state&1 == 0 {
		alike = bits.TrailingZeros32(state) // 32 if there is no data up to the end
	}
	end := min(int64(first)+int64(alike), 32) << subBits
	if state&1 == 0 {
		return run{kind: zeros, n: end - skip}
	}
	return run{kind: plain, n: end - skip, host: cl.host + skip}
}
