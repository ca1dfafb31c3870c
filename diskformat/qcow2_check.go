package diskformat

import (
	"fmt"
	"math/bits"
)

// check walks all tables once, so that an image that lies is refused before its first byte is
// used. Without internal snapshots every cluster of the file has one owner; a second one is an
// inconsistency, and what makes a small file of a large disk (all entries of a table point to the
// same place). Its reads are bounded by the file, for no table is walked twice.
func (q *qcow2) check() error {
	c := &qcow2Claims{q: q, owned: make([]uint64, (q.src.Size()>>q.clusterBits+64)/64)}
	c.claim(0, q.clusterSize()) // the header's; nothing is owned yet
	if err := c.claim(q.l1Offset, q.l1Entries*8); err != nil {
		return inQCOW2("header: l1_table_offset", err)
	}
	if err := c.claim(q.refOffset, q.refClusters<<q.clusterBits); err != nil {
		return inQCOW2("header: refcount_table_offset", err)
	}
	cur := &qcow2Cursor{q: q}
	for i := range q.l1Needed() {
		table, err := cur.l2Table(i)
		if err != nil {
			return err
		}
		if table == 0 {
			continue
		}
		if err := c.claimTable(table); err != nil {
			return inQCOW2(fmt.Sprintf("L1 table, entry %d", i), err)
		}
		if err := c.checkL2(cur, table, i<<q.l2Bits()); err != nil {
			return err
		}
	}
	return nil
}

// qcow2Claims is the book of who owns which cluster of the file.
type qcow2Claims struct {
	q      *qcow2
	owned  []uint64 // a bit per cluster of the file
	packed int64    // bytes that compressed clusters have for themselves, at least
}

// claimTable claims an L2 table, which is one whole cluster.
func (c *qcow2Claims) claimTable(off int64) error {
	if size := c.q.src.Size(); off > size-c.q.clusterSize() {
		return refuse(ErrTruncated, "L2 table at %d: ends beyond the file's %d bytes", off, size)
	}
	return c.claim(off, c.q.clusterSize())
}

// claim takes the clusters of n bytes at off, which begin within the file.
func (c *qcow2Claims) claim(off, n int64) error {
	first := off >> c.q.clusterBits
	for i := first; i <= (off+n-1)>>c.q.clusterBits && i>>6 < int64(len(c.owned)); i++ {
		if c.owned[i>>6]&(1<<(i&63)) != 0 {
			return refuse(ErrInconsistent, "offset %d: cluster is in use for something else too", i<<c.q.clusterBits)
		}
		c.owned[i>>6] |= 1 << (i & 63)
	}
	return nil
}

// checkL2 checks an L2 table's entries for guest cluster first and those after it on the disk.
func (c *qcow2Claims) checkL2(cur *qcow2Cursor, table, first int64) error {
	q := c.q
	last := min(first+1<<q.l2Bits(), (q.size+q.clusterSize()-1)>>q.clusterBits)
	for i := first; i < last; i++ {
		cl, err := cur.cluster(table, i)
		if err != nil {
			return err
		}
		if cl.host == 0 && cl.kind != packed {
			continue
		}
		if err := c.checkCluster(cl, q.size-i<<q.clusterBits); err != nil {
			return inQCOW2(fmt.Sprintf("L2 table, guest cluster %d", i), err)
		}
	}
	return nil
}

// checkCluster checks that a cluster of which the guest sees the first visible bytes is in the
// file and nobody else's.
func (c *qcow2Claims) checkCluster(cl cluster, visible int64) error {
	size, clusterSize := c.q.src.Size(), c.q.clusterSize()
	switch cl.kind {
	case packed:
		return c.checkPacked(cl)
	case plain:
		subBits := c.q.clusterBits - 5
		need := min(visible, clusterSize, int64(bits.Len32(cl.data))<<subBits)
		if cl.data == allSubclusters {
			need = min(visible, clusterSize)
		}
		if cl.host > size-need {
			return refuse(ErrTruncated, "offset %d: %d bytes end beyond the file's %d", cl.host, need, size)
		}
	case zeros:
		if cl.host >= size { // set aside and never written: harmless
			return nil
		}
	}
	return c.claim(cl.host, clusterSize)
}

// checkPacked checks the place of compressed bytes. Compressed clusters share sectors, and clusters
// of the file, but each has at least the bytes between its first sector's begin and its last one's
// for itself; together they are not more than the file.
func (c *qcow2Claims) checkPacked(cl cluster) error {
	size := c.q.src.Size()
	end := cl.host + cl.stored
	if cl.host >= size || end > (size+SectorSize-1)/SectorSize*SectorSize {
		return refuse(ErrTruncated, "offset %d: %d compressed bytes end beyond the file's %d", cl.host, cl.stored, size)
	}
	if first := cl.host >> c.q.clusterBits; c.owned[first>>6]&(1<<(first&63)) != 0 {
		return refuse(ErrInconsistent, "offset %d: cluster of compressed bytes is in use for something else too", cl.host)
	}
	if c.packed += max(cl.stored-SectorSize+1, 1); c.packed > size {
		return refuse(ErrInconsistent, "offset %d: compressed clusters overlap: they claim more than the file's %d bytes", cl.host, size)
	}
	return nil
}
