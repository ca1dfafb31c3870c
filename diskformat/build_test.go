package diskformat

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// image is a file in memory whose fields tests overwrite.
type image []byte

func (b image) u8(off int, v byte) image    { b[off] = v; return b }
func (b image) u32(off int, v uint32) image { binary.BigEndian.PutUint32(b[off:], v); return b }
func (b image) u64(off int, v uint64) image { binary.BigEndian.PutUint64(b[off:], v); return b }
func (b image) cut(n int) image             { return b[:len(b)-n] }
func (b image) put(off int, s string) image { copy(b[off:], s); return b }
func (b image) source() *bytes.Reader       { return bytes.NewReader(b) }
func (b image) extend(n int) image          { return append(b, make([]byte, n)...) }

// The smallest useful qcow2: 512-byte clusters, one L2 table. By cluster of the file: header, L1
// table, L2 table, refcount table, a data cluster, a compressed one. The disk has 8 clusters:
// 0 data, 1 compressed, 2 zeros, the others nothing.
const (
	tinyL1, tinyL2, tinyRef, tinyData, tinyPacked = 0x200, 0x400, 0x600, 0x800, 0xa00
	tinyDisk                                      = 8 * 512
)

func tinyQCOW2(t testing.TB, kind compression) image {
	t.Helper()
	b := make(image, 0xc00)
	b.put(0, "QFI\xfb").u32(4, 3).u32(20, 9).u64(24, tinyDisk)
	b.u32(36, 1).u64(40, tinyL1).u64(48, tinyRef).u32(56, 1).u32(96, 4).u32(100, 112)
	if kind != compressedDeflate {
		b.u64(72, qcow2Compression).u8(104, byte(kind))
	}
	b.u64(tinyL1, entryCopied|tinyL2)
	b.u64(tinyL2, entryCopied|tinyData).u64(tinyL2+8, entryCompressed|tinyPacked).u64(tinyL2+16, entryZero)
	copy(b[tinyData:], bytes.Repeat([]byte("data"), 128))
	copy(b[tinyPacked:], pack(t, kind, bytes.Repeat([]byte("pack"), 128)))
	return b
}

// tinyWant is what the guest sees of tinyQCOW2.
func tinyWant() []byte {
	want := make([]byte, tinyDisk)
	copy(want, bytes.Repeat([]byte("data"), 128))
	copy(want[512:], bytes.Repeat([]byte("pack"), 128))
	return want
}

func pack(t testing.TB, kind compression, plain []byte) []byte {
	t.Helper()
	if kind == compressedZstd {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		half := len(plain) / 2 // two frames: a cluster may have several
		return w.EncodeAll(plain[half:], w.EncodeAll(plain[:half], nil))
	}
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// extendedQCOW2 has clusters of 16 KiB and extended entries: its one cluster of data has data in
// subclusters 1 and 3, zeros in 2.
func extendedQCOW2() image {
	const c = 16 << 10
	b := make(image, 5*c)
	b.put(0, "QFI\xfb").u32(4, 3).u32(20, 14).u64(24, 2*c)
	b.u32(36, 1).u64(40, c).u64(48, 3*c).u32(56, 1).u64(72, qcow2ExtendedL2).u32(96, 4).u32(100, 112)
	b.u64(c, entryCopied|2*c).u64(2*c, entryCopied|4*c).u64(2*c+8, 1<<34|1<<1|1<<3)
	for i := 4 * c; i < 5*c; i++ {
		b[i] = byte(1 + (i-4*c)/512)
	}
	return b
}

// Places in tinyVHD, a dynamic disk of three blocks of 4 KiB of which the first has data, in sectors
// 0 and 2, and the last is cut short by the end of the disk.
const (
	tinyHeader, tinyTable, tinyBlock = 512, 1536, 2048
	tinyLast                         = tinyBlock + 512 + vhdMinBlock
	tinyFooter                       = tinyLast + 512 + 512
	tinyVHDDisk                      = 2*vhdMinBlock + 512
)

func tinyVHD() image {
	b := make(image, tinyFooter+512)
	b.put(tinyHeader, vhdHeaderCookie).u64(tinyHeader+8, 1<<64-1).u64(tinyHeader+16, tinyTable)
	b.u32(tinyHeader+24, 0x10000).u32(tinyHeader+28, 3).u32(tinyHeader+32, vhdMinBlock)
	b.u32(tinyTable, tinyBlock/512).u32(tinyTable+4, vhdUnused).u32(tinyTable+8, tinyLast/512)
	b.u8(tinyBlock, 0xa0).u8(tinyLast, 0x80)
	for i := tinyBlock + 512; i < tinyLast; i++ {
		b[i] = byte(1 + (i-tinyBlock)/512)
	}
	copy(b[tinyLast+512:], bytes.Repeat([]byte{0xee}, 512))
	b.footer(0, vhdDynamic, tinyVHDDisk, tinyHeader)
	b.footer(tinyFooter, vhdDynamic, tinyVHDDisk, tinyHeader)
	return b.sum()
}

func (b image) footer(at int, kind uint32, size, dataOffset uint64) image {
	b.put(at, vhdCookie).u32(at+8, 2).u32(at+12, 0x10000).u64(at+16, dataOffset)
	return b.u64(at+40, size).u64(at+48, size).u32(at+60, kind)
}

// sum sets the checksums of a dynamic disk's header and both footers, or of a fixed one's footer.
func (b image) sum() image {
	if bytes.HasPrefix(b, []byte(vhdCookie)) && len(b) >= tinyTable {
		b.u32(64, vhdSum(b[:512], 64))
		b.u32(tinyHeader+36, vhdSum(b[tinyHeader:tinyTable], 36))
	}
	if end := len(b) - 512; end >= 0 {
		b.u32(end+64, vhdSum(b[end:], 64))
	}
	return b
}

func tinyVHDWant() []byte {
	want := make([]byte, tinyVHDDisk)
	copy(want, bytes.Repeat([]byte{2}, 512))
	copy(want[1024:], bytes.Repeat([]byte{4}, 512))
	copy(want[2*vhdMinBlock:], bytes.Repeat([]byte{0xee}, 512))
	return want
}

// fixedVHD is a fixed disk of two sectors.
func fixedVHD() image {
	b := make(image, 3*512)
	copy(b, bytes.Repeat([]byte("fixd"), 256))
	return b.footer(1024, vhdFixed, 1024, 1<<64-1).sum()
}
