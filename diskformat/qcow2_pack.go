package diskformat

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// Compressor packs bytes for many goroutines at once.
type Compressor interface {
	// Compress appends one zstd frame that holds src to dst and returns true, or returns dst as it was
	// and false where src is better stored as it is.
	Compress(dst, src []byte) ([]byte, bool)
}

// packBatch is how many guest bytes are read and packed as one piece of work.
const packBatch = 16 * writeCluster

// PackQCOW2 writes a disk as a qcow2 with zstd clusters (compression type 1, which QEMU reads since
// 5.1) into an empty file and returns its length. Clusters of zeros are left out, and those that do not
// shrink are stored as they are. So many workers compress; memory is about 4 MiB for each. It ends soon
// after ctx. The same disk gives the same bytes with the same Compressor.
func PackQCOW2(ctx context.Context, w io.WriterAt, disk Disk, c Compressor, workers int) (int64, error) {
	if err := checkSize("qcow2: size", disk.Size(), Options{MaxSize: DefaultMaxSize}); err != nil {
		return 0, err
	}
	g, ctx := errgroup.WithContext(ctx)
	work, ordered := make(chan *packedBatch), make(chan *packedBatch, 2*workers)
	g.Go(func() error {
		defer close(work)
		defer close(ordered)
		return readBatches(ctx, disk, work, ordered)
	})
	for range workers {
		g.Go(func() error {
			for b := range work {
				b.err = b.pack(disk, c)
				close(b.done)
			}
			return nil
		})
	}
	var size int64
	g.Go(func() (err error) {
		size, err = writeBatches(ctx, w, disk.Size(), ordered)
		return err
	})
	return size, g.Wait()
}

// packedBatch is some guest bytes of a disk on their way into a file.
type packedBatch struct {
	at, n    int64
	clusters [][]byte // nil for zeros
	packed   []bool   // by cluster; else it is as it is
	err      error
	done     chan struct{} // closed when the above is there
}

// readBatches cuts what may hold data into batches, in the disk's order, to workers and to the writer.
func readBatches(ctx context.Context, disk Disk, work, ordered chan<- *packedBatch) error {
	for at := int64(0); at < disk.Size(); {
		start, end, err := disk.NextData(at)
		if err != nil {
			return err
		}
		start = max(at, start&^(writeCluster-1))
		if at = min(roundUp(end, writeCluster), start+packBatch, disk.Size()); start >= at {
			return nil
		}
		b := &packedBatch{at: start, n: at - start, done: make(chan struct{})}
		for _, to := range []chan<- *packedBatch{ordered, work} {
			select {
			case to <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// pack reads the batch and compresses its clusters.
func (b *packedBatch) pack(disk Disk, c Compressor) error {
	plain := make([]byte, roundUp(b.n, writeCluster))
	if _, err := disk.ReadAt(plain[:b.n], b.at); err != nil && err != io.EOF {
		return err
	}
	zero := make([]byte, writeCluster)
	for len(plain) > 0 {
		var cluster []byte
		packed := false
		if plain := plain[:writeCluster]; !bytes.Equal(plain, zero) {
			if cluster, packed = c.Compress(nil, plain); !packed || len(cluster) >= writeCluster {
				cluster, packed = plain, false
			}
		}
		b.clusters, b.packed = append(b.clusters, cluster), append(b.packed, packed)
		plain = plain[writeCluster:]
	}
	return nil
}

// writeBatches writes the file from batches in the disk's order.
func writeBatches(ctx context.Context, w io.WriterAt, size int64, ordered <-chan *packedBatch) (int64, error) {
	p, err := newQCOW2Packer(w, size)
	if err != nil {
		return 0, err
	}
	for b := range ordered {
		select {
		case <-b.done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if b.err != nil {
			return 0, b.err
		}
		for i, cluster := range b.clusters {
			if cluster == nil {
				continue
			}
			if err := p.add(b.at>>writeBits+int64(i), cluster, b.packed[i]); err != nil {
				return 0, fmt.Errorf("write qcow2: %w", err)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return p.finish()
}

// qcow2Packer writes clusters in the disk's order. The file only grows, in regions of 2 GiB, each of
// which begins with the reference counts of its own clusters; so one page of counts and one L2 table
// are in memory.
type qcow2Packer struct {
	w    io.WriterAt
	size int64
	next int64 // file offset of the next free cluster
	room int64 // file offset in a cluster that packed clusters share
	end  int64 // where the clusters end that they share, room <= end

	l1      []byte
	table   []byte // the L2 table at tableAt, 0 for none yet
	tableAt int64
	group   int64

	counts  []byte  // of the region
	regions []int64 // file offsets of the regions' counts
}

// writeRegion is the bytes of the file that one block of reference counts counts.
const writeRegion = writeCounts * int64(writeCluster)

func newQCOW2Packer(w io.WriterAt, size int64) (*qcow2Packer, error) {
	p := &qcow2Packer{w: w, size: size, l1: make([]byte, roundUp(l1Entries(size)*8, writeCluster)), table: make([]byte, writeCluster), counts: make([]byte, writeCluster)}
	p.next = writeCluster + int64(len(p.l1)) // at most 577 KiB, of the first region
	p.regions = []int64{p.next}
	p.next += writeCluster
	for at := int64(0); at < p.next; at += writeCluster {
		p.count(at)
	}
	return p, nil
}

// count counts one more owner of the cluster at an offset, which lies in the last region.
func (p *qcow2Packer) count(at int64) {
	i := at % writeRegion / writeCluster * 2
	binary.BigEndian.PutUint16(p.counts[i:], binary.BigEndian.Uint16(p.counts[i:])+1)
}

// alloc gives n clusters in a row that are not counted yet. They never lie in two regions.
func (p *qcow2Packer) alloc(n int64) (int64, error) {
	if region := roundUp(p.next, writeRegion); p.next == region || p.next+n*writeCluster > region {
		if _, err := p.w.WriteAt(p.counts, p.regions[len(p.regions)-1]); err != nil {
			return 0, err
		}
		clear(p.counts)
		p.regions = append(p.regions, region)
		p.count(region)
		p.next, p.room, p.end = region+writeCluster, 0, 0
	}
	at := p.next
	p.next += n * writeCluster
	return at, nil
}

// owned gives one cluster that has one owner.
func (p *qcow2Packer) owned() (int64, error) {
	at, err := p.alloc(1)
	if err == nil {
		p.count(at)
	}
	return at, err
}

// add writes a guest cluster; the numbers ascend.
func (p *qcow2Packer) add(i int64, b []byte, packed bool) error {
	if p.tableAt == 0 || i/writeL2 != p.group {
		if err := p.startTable(i / writeL2); err != nil {
			return err
		}
	}
	var entry uint64
	var err error
	if packed {
		entry, err = p.addPacked(b)
	} else {
		var at int64
		if at, err = p.owned(); err == nil {
			entry = entryCopied | uint64(at)
			_, err = p.w.WriteAt(b, at)
		}
	}
	binary.BigEndian.PutUint64(p.table[8*(i%writeL2):], entry)
	return err
}

// addPacked writes compressed bytes behind others, with which they share clusters, and returns their entry.
func (p *qcow2Packer) addPacked(b []byte) (uint64, error) {
	n := int64(len(b))
	if n > p.end-p.room {
		at, err := p.alloc(1)
		if err != nil {
			return 0, err
		}
		if at != p.end || p.room == p.end {
			p.room = at
		}
		p.end = at + writeCluster
	}
	at := p.room
	p.room += n
	for c := at &^ (writeCluster - 1); c < p.room; c += writeCluster {
		p.count(c)
	}
	const offsetBits = 62 - (writeBits - 8)
	more := uint64((at+n-1)/SectorSize - at/SectorSize)
	_, err := p.w.WriteAt(b, at)
	return entryCompressed | more<<offsetBits | uint64(at), err
}

// startTable ends the L2 table before and begins the next.
func (p *qcow2Packer) startTable(group int64) error {
	if err := p.endTable(); err != nil {
		return err
	}
	at, err := p.owned()
	if err != nil {
		return err
	}
	clear(p.table)
	p.tableAt, p.group = at, group
	binary.BigEndian.PutUint64(p.l1[8*group:], entryCopied|uint64(at))
	return nil
}

func (p *qcow2Packer) endTable() error {
	if p.tableAt == 0 {
		return nil
	}
	_, err := p.w.WriteAt(p.table, p.tableAt)
	return err
}

// finish writes the tables and the header, and returns the file's length.
func (p *qcow2Packer) finish() (int64, error) {
	if err := p.endTable(); err != nil {
		return 0, err
	}
	clusters := roundUp(int64(len(p.regions)+1)*8, writeCluster) / writeCluster // one more: alloc may begin a region
	at, err := p.alloc(clusters)
	if err != nil {
		return 0, err
	}
	table := make([]byte, clusters*writeCluster)
	for i, block := range p.regions {
		binary.BigEndian.PutUint64(table[8*i:], uint64(block))
	}
	for i := range clusters {
		p.count(at + i*writeCluster)
	}
	for _, part := range []struct {
		b  []byte
		at int64
	}{{table, at}, {p.counts, p.regions[len(p.regions)-1]}, {p.l1, writeCluster}, {newQCOW2Header(p.size, at, clusters, compressedZstd), 0}} {
		if _, err := p.w.WriteAt(part.b, part.at); err != nil {
			return 0, err
		}
	}
	return p.next, nil
}
