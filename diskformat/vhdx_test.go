package diskformat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func (b image) l16(off int, v uint16) image { binary.LittleEndian.PutUint16(b[off:], v); return b }
func (b image) l32(off int, v uint32) image { binary.LittleEndian.PutUint32(b[off:], v); return b }
func (b image) l64(off int, v uint64) image { binary.LittleEndian.PutUint64(b[off:], v); return b }

// Places in tinyVHDX: after the log, metadata, table and one block of 1 MiB lies a block of one sector.
const (
	tinyHead1, tinyHead2, tinyRegions1, tinyRegions2 = 64 << 10, 128 << 10, 192 << 10, 256 << 10
	tinyLog, tinyMetadata, tinyBAT, tinyPayload      = 1 << 20, 2 << 20, 3 << 20, 4 << 20
	tinyItems                                        = tinyMetadata + vhdxMetadataLength
	tinyVHDXDisk                                     = 2<<20 + 512
)

// tinyVHDX is a dynamic disk of three blocks: data, nothing, and one sector that the disk's end cuts short.
func tinyVHDX() image {
	b := make(image, tinyPayload+1<<20+512)
	b.put(0, vhdxFileMagic)
	for i, at := range []int{tinyHead1, tinyHead2} {
		b.put(at, vhdxHeaderMagic).l64(at+8, uint64(7+i)).l16(at+66, 1).l32(at+68, 1<<20).l64(at+72, tinyLog)
	}
	for _, at := range []int{tinyRegions1, tinyRegions2} {
		b.put(at, vhdxRegionMagic).l32(at+8, 2)
		b.region(at+16, vhdxBAT, tinyBAT, true).region(at+48, vhdxMetadata, tinyMetadata, true)
	}
	b.put(tinyMetadata, vhdxMetadataMagic).l16(tinyMetadata+10, 5)
	b.item(0, vhdxFileParameters, 0, 8).item(1, vhdxDiskSize, 8, 8).item(2, vhdxLogicalSector, 16, 4).item(3, vhdxPhysicalSector, 20, 4).item(4, vhdxDiskID, 24, 16)
	b.l32(tinyItems, 1<<20).l64(tinyItems+8, tinyVHDXDisk).l32(tinyItems+16, 512).l32(tinyItems+20, 4096)
	b.l64(tinyBAT, tinyPayload|vhdxFullyPresent).l64(tinyBAT+8, vhdxZero).l64(tinyBAT+16, tinyPayload+1<<20|vhdxFullyPresent)
	copy(b[tinyPayload:], bytes.Repeat([]byte("vhdx"), 1<<18))
	copy(b[tinyPayload+1<<20:], bytes.Repeat([]byte("tail"), 128))
	return b.sums()
}

func tinyVHDXWant() []byte {
	want := make([]byte, tinyVHDXDisk)
	copy(want, bytes.Repeat([]byte("vhdx"), 1<<18))
	copy(want[2<<20:], bytes.Repeat([]byte("tail"), 128))
	return want
}

func (b image) region(at int, id vhdxGUID, offset uint64, required bool) image {
	copy(b[at:], id[:])
	b.l64(at+16, offset).l32(at+24, 1<<20)
	if required {
		b.l32(at+28, 1)
	}
	return b
}

// item writes the i-th entry of the metadata table; at counts from the first item.
func (b image) item(i int, id vhdxGUID, at, length uint32) image {
	e := tinyMetadata + 32 + 32*i
	copy(b[e:], id[:])
	return b.l32(e+16, vhdxMetadataLength+at).l32(e+20, length).l32(e+24, 4)
}

// sums sets the checksums of headers and region tables.
func (b image) sums() image {
	for at, n := range map[int]int{tinyHead1: vhdxHeaderLength, tinyHead2: vhdxHeaderLength, tinyRegions1: vhdxRegionLength, tinyRegions2: vhdxRegionLength} {
		if len(b) >= at+n {
			b.l32(at+4, vhdxSum(b[at:at+n]))
		}
	}
	return b
}

func TestVHDXHeader(t *testing.T) {
	both := func(b image, off int, v uint32) image { return b.l32(tinyHead1+off, v).l32(tinyHead2+off, v).sums() }
	both64 := func(b image, off int, v uint64) image { return b.l64(tinyHead1+off, v).l64(tinyHead2+off, v).sums() }
	runHostile(t, tinyVHDX, []hostile{
		{"magic alone", func(b image) image { return b[:8] }, ErrTruncated, "vhdx header: file offset 65536"},
		{"cut behind the headers", func(b image) image { return b[:tinyRegions1] }, ErrTruncated, "vhdx region table"},
		{"no header", func(b image) image { return b.u8(tinyHead1, 0).u8(tinyHead2, 0) }, ErrInconsistent, "signature"},
		{"both checksums", func(b image) image { return b.u8(tinyHead1+100, 1).u8(tinyHead2+100, 1) }, ErrInconsistent, "vhdx header: checksum"},
		{"one sequence, two headers", func(b image) image { return b.l64(tinyHead1+8, 8).u8(tinyHead1+20, 1).sums() }, ErrInconsistent, "sequence_number 8"},
		{"version", func(b image) image { return both(b, 64, 2<<16) }, ErrUnsupported, "version 2"},
		{"log version", func(b image) image { return both(both(b, 64, 1<<16|3), 48, 1) }, ErrUnsupported, "log_version 3"},
		{"log offset odd", func(b image) image { return both64(b, 72, 1<<20+1) }, ErrInconsistent, "log offset 1048577"},
		{"log offset beyond", func(b image) image { return both64(b, 72, 1<<40) }, ErrTruncated, "offset 1099511627776"},
		{"named log beyond", func(b image) image { return both(both64(b, 72, 1<<40), 48, 1) }, ErrTruncated, "vhdx log: log offset"},
		{"log length", func(b image) image { return both(b, 68, 1000) }, ErrInconsistent, "log length 1000"},
		{"log length huge", func(b image) image { return both(b, 68, 0xfff00000) }, ErrUnsupported, "log length 4293918720: must be at most"},
		{"log on the metadata", func(b image) image { return both64(b, 72, tinyMetadata) }, ErrInconsistent, "in use for something else"},
		{"log with an entry", func(b image) image {
			b = both(b, 48, 7).put(tinyLog+8192, "loge").l32(tinyLog+8192+24, 1).l32(tinyLog+8192+32, 7)
			return b
		}, ErrInconsistent, "vhdx log: entry at 1056768: log must be empty"},
	})
}

// TestVHDXHeaders: the valid header with the higher number counts, and a log without entries of its name is empty.
func TestVHDXHeaders(t *testing.T) {
	rnd := seeded(t)
	for name, b := range map[string]image{
		"first damaged":     tinyVHDX().u8(tinyHead1+100, 1),
		"second damaged":    tinyVHDX().u8(tinyHead2+100, 1),
		"first is newer":    tinyVHDX().l64(tinyHead1+8, 9).sums().l32(tinyHead2+64, 9<<16).sums(),
		"equal":             tinyVHDX().l64(tinyHead2+8, 7).sums(),
		"first regions":     tinyVHDX().u8(tinyRegions2+100, 1),
		"second regions":    tinyVHDX().u8(tinyRegions1+100, 1),
		"named, empty log":  tinyVHDX().l32(tinyHead2+48, 7).sums(),
		"an older log":      tinyVHDX().l32(tinyHead2+48, 7).sums().put(tinyLog, "loge").l32(tinyLog+24, 1).l32(tinyLog+32, 6),
		"empty log entries": tinyVHDX().l32(tinyHead2+48, 7).sums().put(tinyLog, "loge").l32(tinyLog+32, 7),
		"a free region":     tinyVHDX().other(false),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := New(b.source(), Options{Format: VHDX})
			if err != nil {
				t.Fatal(err)
			}
			compareDisk(t, rnd, d, tinyVHDXWant())
			if data := readByRuns(t, d, make([]byte, d.Size())); data != 1<<20+512 {
				t.Errorf("%d bytes of data", data)
			}
		})
	}
}

// other adds a region of a kind that nobody knows, behind all else.
func (b image) other(required bool) image {
	at := len(b)&^(1<<20-1) + 1<<20
	b = b.extend(at + 1<<20 - len(b))
	for _, table := range []int{tinyRegions1, tinyRegions2} {
		b.l32(table+8, 3).region(table+80, vhdxGUID{1}, uint64(at), required)
	}
	return b.sums()
}

func TestVHDXTables(t *testing.T) {
	regions := func(b image, off int, v uint64) image {
		return b.l64(tinyRegions1+off, v).l64(tinyRegions2+off, v).sums()
	}
	entry := func(b image, i int, v uint64) image { return b.l64(tinyBAT+8*i, v) }
	const item, bits = tinyMetadata + 32, 24
	runHostile(t, tinyVHDX, []hostile{
		{"no regions", func(b image) image { return b.u8(tinyRegions1, 0).u8(tinyRegions2, 0) }, ErrInconsistent, "vhdx region table: signature"},
		{"regions' checksums", func(b image) image { return b.u8(tinyRegions1+9, 1).u8(tinyRegions2+9, 1) }, ErrInconsistent, "vhdx region table: checksum"},
		{"regions differ", func(b image) image { return b.u8(tinyRegions1+100, 1).sums() }, ErrInconsistent, "two copies"},
		{"region count", func(b image) image { return regions(b, 8, 2048) }, ErrInconsistent, "entry_count 2048"},
		{"one region", func(b image) image { return regions(b, 8, 1) }, ErrInconsistent, "must be there"},
		{"region twice", func(b image) image { return regions(regions(b, 48, le64(vhdxBAT[:], 0)), 56, le64(vhdxBAT[:], 8)) }, ErrInconsistent, "must occur once"},
		{"unknown region", func(b image) image { return b.other(true) }, ErrUnsupported, "is required and unknown"},
		{"region at 0", func(b image) image { return regions(b, 32, 0) }, ErrInconsistent, "offset 0"},
		{"region beyond", func(b image) image { return regions(b, 32, 1<<62) }, ErrTruncated, "4611686018427387904"},
		{"region negative", func(b image) image { return regions(b, 32, 1<<63) }, ErrInconsistent, "offset 9223372036854775808"},
		{"region length", func(b image) image { return regions(b, 40, 5) }, ErrInconsistent, "length 5"},
		{"table on the metadata", func(b image) image { return regions(b, 32, tinyMetadata) }, ErrInconsistent, "offset 2097152: is in use"},
		{"metadata signature", func(b image) image { return b.u8(tinyMetadata, 0) }, ErrInconsistent, "vhdx metadata: signature"},
		{"metadata count", func(b image) image { return b.l16(tinyMetadata+10, 2048) }, ErrInconsistent, "entry_count 2048"},
		{"metadata missing", func(b image) image { return b.l16(tinyMetadata+10, 4) }, ErrInconsistent, "must be there"},
		{"metadata twice", func(b image) image { return b.l16(tinyMetadata+10, 6).item(5, vhdxDiskSize, 8, 8) }, ErrInconsistent, "must occur once"},
		{"unknown item", func(b image) image { return b.l16(tinyMetadata+10, 6).item(5, vhdxGUID{9}, 0, 4) }, ErrUnsupported, "is required and unknown"},
		{"parent locator", func(b image) image {
			return b.l16(tinyMetadata+10, 6).item(5, vhdxParentLocator, 0, 4).l32(item+32*5+bits, 0)
		}, ErrExternal, "parent locator"},
		{"item offset", func(b image) image { return b.l32(item+16, 100) }, ErrInconsistent, "offset 100"},
		{"item offset beyond", func(b image) image { return b.l32(item+16, 1<<20-7) }, ErrInconsistent, "offset 1048569"},
		{"item length", func(b image) image { return b.l32(item+20, 1<<31) }, ErrInconsistent, "length 2147483648: must be 8"},
		{"user's size", func(b image) image { return b.l32(item+32+bits, 5) }, ErrUnsupported, "is required and unknown"},
		{"block size 0", func(b image) image { return b.l32(tinyItems, 0) }, ErrInconsistent, "block_size 0"},
		{"block size odd", func(b image) image { return b.l32(tinyItems, 3<<20) }, ErrInconsistent, "block_size 3145728"},
		{"block size huge", func(b image) image { return b.l32(tinyItems, 512<<20) }, ErrInconsistent, "block_size 536870912"},
		{"parent", func(b image) image { return b.l32(tinyItems+4, 2) }, ErrExternal, "has_parent"},
		{"size 0", func(b image) image { return b.l64(tinyItems+8, 0) }, ErrEmpty, "virtual_disk_size 0"},
		{"size odd", func(b image) image { return b.l64(tinyItems+8, 1000) }, ErrUnaligned, "virtual_disk_size 1000"},
		{"size huge", func(b image) image { return b.l64(tinyItems+8, 1<<63) }, ErrTooLarge, "virtual_disk_size"},
		{"size above the table", func(b image) image { return b.l64(tinyItems+8, 1<<39) }, ErrInconsistent, "length 1048576 of the block allocation table: must be at least"},
		{"sectors of 4 KiB", func(b image) image { return b.l32(tinyItems+16, 4096) }, ErrUnsupported, "logical_sector_size 4096"},
		{"sectors of 1 KiB", func(b image) image { return b.l32(tinyItems+16, 1024) }, ErrInconsistent, "logical_sector_size 1024"},
		{"physical sectors", func(b image) image { return b.l32(tinyItems+20, 5) }, ErrInconsistent, "physical_sector_size 5"},
		{"partly present", func(b image) image { return entry(b, 1, tinyPayload|7) }, ErrExternal, "block 1: entry 0x0000000000400007: state 7"},
		{"state 4", func(b image) image { return entry(b, 1, 4) }, ErrInconsistent, "state 4"},
		{"state 5", func(b image) image { return entry(b, 1, 5) }, ErrInconsistent, "state 5"},
		{"reserved bits", func(b image) image { return entry(b, 0, tinyPayload|6|1<<10) }, ErrInconsistent, "reserved bits 0x400"},
		{"block at 0", func(b image) image { return entry(b, 0, 6) }, ErrInconsistent, "offset must be at least"},
		{"block beyond", func(b image) image { return entry(b, 0, 1<<63|6) }, ErrInconsistent, "block 0"},
		{"block far beyond", func(b image) image { return entry(b, 0, 1<<62|6) }, ErrTruncated, "block 0: offset 4611686018427387904"},
		{"block cut", func(b image) image { return b.cut(1) }, ErrTruncated, "block 2: offset 5242880: 512 bytes end beyond"},
		{"block twice", func(b image) image { return entry(b, 1, tinyPayload|6) }, ErrInconsistent, "block 1: offset 4194304"},
		{"block on the table", func(b image) image { return entry(b, 1, tinyBAT|6) }, ErrInconsistent, "block 1: offset 3145728"},
	})
}

// TestVHDXBitmaps: with blocks of 1 MiB the 4,097th entry of the table is a bitmap's, which only disks with a parent have.
func TestVHDXBitmaps(t *testing.T) {
	dir, image := t.TempDir(), ""
	image = filepath.Join(dir, "image")
	qemuImg(t, "create", "-f", "vhdx", "-o", "block_size=1M", image, "9G")
	args := []string{"-f", "vhdx"}
	for _, at := range []int{4095, 4096, 4097, 8191, 8192, 9215} {
		args = append(args, "-c", fmt.Sprintf("write -P %d %dM 512", 1+at%250, at))
	}
	if out, err := exec.Command("qemu-io", append(args, image)...).CombinedOutput(); err != nil || bytes.Contains(out, []byte("failed")) {
		t.Fatalf("qemu-io: %v\n%s", err, out)
	}
	d, err := Open(image, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	p := make([]byte, 513)
	for _, at := range []int64{4095, 4096, 4097, 8191, 8192, 9215} {
		if _, err := d.ReadAt(p, at<<20); err != nil || p[0] != byte(1+at%250) || p[511] != p[0] || p[512] != 0 {
			t.Errorf("block %d: %d, %d, %d, %v", at, p[0], p[511], p[512], err)
		}
	}
	if _, err := d.ReadAt(p, 4000<<20); err != nil || !bytes.Equal(p, make([]byte, 513)) {
		t.Errorf("an empty block: %v", err)
	}
	b, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	bat := d.(*fileDisk).Disk.(*vhdx).bat.offset
	if _, err := b.WriteAt([]byte{6}, bat+4096*8); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(image, Options{}); !errors.Is(err, ErrInconsistent) || !strings.Contains(err.Error(), "entry 4096: entry 0x0000000000000006: sector bitmap") {
		t.Errorf("with a bitmap: %v", err)
	}
}

// FuzzVHDX spreads its input over the places where a VHDX has tables, and sets the checksums right:
// whole files would be too long to get anywhere.
func FuzzVHDX(f *testing.F) {
	places := []struct{ at, n int }{{tinyHead1, 96}, {tinyRegions1, 128}, {tinyMetadata, 256}, {tinyItems, 48}, {tinyBAT, 128}, {tinyLog, 64}}
	var seed []byte
	tiny := tinyVHDX()
	for _, p := range places {
		seed = append(seed, tiny[p.at:p.at+p.n]...)
	}
	f.Add(seed, uint32(len(tiny)))
	f.Add(seed, uint32(tinyPayload))
	f.Fuzz(func(t *testing.T, in []byte, size uint32) {
		b := make(image, min(max(int(size), tinyRegions2+vhdxRegionLength), 8<<20))
		b.put(0, vhdxFileMagic)
		for _, p := range places {
			n := min(p.n, len(in))
			if p.at < len(b) {
				copy(b[p.at:], in[:n])
			}
			in = in[n:]
		}
		copy(b[tinyRegions2:], b[tinyRegions1:tinyRegions1+128])
		exercise(t, b.sums(), Options{Format: VHDX, MaxSize: fuzzDisk})
	})
}
