package diskformat

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// readAll opens an image and reads it, and returns the first error.
func readAll(t testing.TB, b image, o Options) error {
	t.Helper()
	d, err := New(b.source(), o)
	if err != nil {
		return err
	}
	_, err = d.ReadAt(make([]byte, d.Size()), 0)
	return err
}

// hostile is an image that must be refused with an error of one kind that names the field.
type hostile struct {
	name  string
	make  func(b image) image
	want  error
	field string
}

func runHostile(t *testing.T, valid func() image, tests []hostile) {
	t.Helper()
	if err := readAll(t, valid(), Options{Zstd: newZstd(t)}); err != nil {
		t.Fatalf("valid image: %v", err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := readAll(t, test.make(valid()), Options{Zstd: newZstd(t), MaxSize: 1 << 40})
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.field) {
				t.Fatalf("got %v, want %q and %q", err, test.field, test.want)
			}
		})
	}
}

func TestTinyImages(t *testing.T) {
	rnd := seeded(t)
	extended := make([]byte, 32<<10)
	copy(extended[512:], bytes.Repeat([]byte{2}, 512))
	copy(extended[3*512:], bytes.Repeat([]byte{4}, 512))
	for _, test := range []struct {
		name string
		b    image
		want []byte
		data int64 // bytes that NextData calls data
	}{
		{"deflate", tinyQCOW2(t, compressedDeflate), tinyWant(), 1024},
		{"zstd", tinyQCOW2(t, compressedZstd), tinyWant(), 1024},
		{"extended", extendedQCOW2(), extended, 1024},
		{"vhd", tinyVHD(), tinyVHDWant(), 3 * 512},
		{"fixed vhd", fixedVHD(), bytes.Repeat([]byte("fixd"), 256), 1024},
		{"vhdx", tinyVHDX(), tinyVHDXWant(), 1<<20 + 512},
		{"vmdk", tinyVMDK(), tinyVMDKWant(), 4096 + 512},
		{"vmdk stream", streamVMDK(t, tinyVMDKWant()), tinyVMDKWant(), 4096 + 512},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := New(test.b.source(), Options{Zstd: newZstd(t)})
			if err != nil {
				t.Fatal(err)
			}
			compareDisk(t, rnd, d, test.want)
			if data := readByRuns(t, d, make([]byte, d.Size())); data != test.data {
				t.Errorf("%d bytes of data, want %d", data, test.data)
			}
		})
	}
}

func TestQCOW2Header(t *testing.T) {
	runHostile(t, func() image { return tinyQCOW2(t, compressedDeflate) }, []hostile{
		{"magic alone", func(b image) image { return b[:4] }, ErrTruncated, "length 4"},
		{"cut in the header", func(b image) image { return b[:100] }, ErrTruncated, "length 100"},
		{"cut in header_length", func(b image) image { return b[:104] }, ErrTruncated, "header_length 112"},
		{"version 1", func(b image) image { return b.u32(4, 1) }, ErrUnsupported, "version 1"},
		{"version 4", func(b image) image { return b.u32(4, 4) }, ErrUnsupported, "version 4"},
		{"backing file", func(b image) image { return b.u64(8, 0x180).u32(16, 8) }, ErrExternal, "backing_file_offset 384"},
		{"backing file beyond", func(b image) image { return b.u64(8, 1<<63) }, ErrExternal, "backing_file_offset"},
		{"cluster_bits 8", func(b image) image { return b.u32(20, 8) }, ErrInconsistent, "cluster_bits 8: must be 9 to 21"},
		{"cluster_bits 22", func(b image) image { return b.u32(20, 22) }, ErrInconsistent, "cluster_bits 22"},
		{"cluster_bits max", func(b image) image { return b.u32(20, 1<<32-1) }, ErrInconsistent, "cluster_bits 4294967295"},
		{"size 0", func(b image) image { return b.u64(24, 0) }, ErrEmpty, "size 0"},
		{"size odd", func(b image) image { return b.u64(24, 1000) }, ErrUnaligned, "size 1000"},
		{"size too large", func(b image) image { return b.u64(24, 1<<41) }, ErrTooLarge, "size 2199023255552: must be at most"},
		{"size negative", func(b image) image { return b.u64(24, 1<<63) }, ErrTooLarge, "size 9223372036854775808"},
		{"aes", func(b image) image { return b.u32(32, 1) }, ErrEncrypted, "crypt_method 1"},
		{"luks", func(b image) image { return b.u32(32, 2) }, ErrEncrypted, "crypt_method 2"},
		{"l1_size huge", func(b image) image { return b.u32(36, 1<<32-1) }, ErrInconsistent, "l1_size 4294967295: must be at most"},
		{"l1_size beyond the file", func(b image) image { return b.u32(36, 1000) }, ErrTruncated, "l1_table_offset 512: table of 8000 bytes"},
		{"l1_size small", func(b image) image { return b.u64(24, 1<<20) }, ErrInconsistent, "l1_size 1: must be at least 32"},
		{"l1_table_offset 0", func(b image) image { return b.u64(40, 0) }, ErrInconsistent, "l1_table_offset 0"},
		{"l1_table_offset odd", func(b image) image { return b.u64(40, 520) }, ErrInconsistent, "l1_table_offset 520"},
		{"l1_table_offset beyond", func(b image) image { return b.u64(40, 1<<40) }, ErrTruncated, "l1_table_offset"},
		{"l1_table_offset negative", func(b image) image { return b.u64(40, 1<<63) }, ErrInconsistent, "l1_table_offset"},
		{"refcount offset beyond", func(b image) image { return b.u64(48, 1<<40) }, ErrTruncated, "refcount_table_offset"},
		{"refcount on the L1 table", func(b image) image { return b.u64(48, tinyL1) }, ErrInconsistent, "refcount_table_offset"},
		{"refcount clusters 0", func(b image) image { return b.u32(56, 0) }, ErrInconsistent, "refcount_table_clusters 0"},
		{"refcount clusters huge", func(b image) image { return b.u32(56, 1<<32-1) }, ErrInconsistent, "refcount_table_clusters"},
		{"snapshots", func(b image) image { return b.u32(60, 2) }, ErrUnsupported, "nb_snapshots 2"},
		{"refcount_order", func(b image) image { return b.u32(96, 7) }, ErrInconsistent, "refcount_order 7"},
		{"header_length small", func(b image) image { return b.u32(100, 96) }, ErrInconsistent, "header_length 96"},
		{"header_length odd", func(b image) image { return b.u32(100, 107) }, ErrInconsistent, "header_length 107"},
		{"header_length huge", func(b image) image { return b.u32(100, 1<<31) }, ErrInconsistent, "header_length 2147483648"},
	})
}

func TestQCOW2Features(t *testing.T) {
	runHostile(t, func() image { return tinyQCOW2(t, compressedZstd) }, []hostile{
		{"dirty", func(b image) image { return b.u64(72, 1|8) }, ErrInconsistent, "bit 0 (dirty)"},
		{"corrupt", func(b image) image { return b.u64(72, 2|8) }, ErrInconsistent, "bit 1 (corrupt)"},
		{"data file", func(b image) image { return b.u64(72, 4|8) }, ErrExternal, "bit 2 (external data file)"},
		{"raw data file", func(b image) image { return b.u64(88, 2) }, ErrExternal, "bit 1 (raw external data)"},
		{"unknown", func(b image) image { return b.u64(72, 8|1<<40) }, ErrUnsupported, "bit 40 (unknown)"},
		{"named", func(b image) image {
			return b.u64(72, 8|1<<5).u32(112, extensionFeatures).u32(116, 48).put(120, "\x00\x05time travel")
		}, ErrUnsupported, `bit 5 ("time travel")`},
		{"extended with small clusters", func(b image) image { return b.u64(72, 8|16) }, ErrInconsistent, "cluster_bits 9: must be at least 14"},
		{"type without bit", func(b image) image { return b.u64(72, 0) }, ErrInconsistent, "compression_type 1"},
		{"bit without type", func(b image) image { return b.u8(104, 0) }, ErrInconsistent, "compression_type 0"},
		{"bit without field", func(b image) image { return b.u32(100, 104) }, ErrInconsistent, "compression_type 0"},
		{"type 2", func(b image) image { return b.u8(104, 2) }, ErrUnsupported, "compression_type 2"},
		{"data file name", func(b image) image { return b.u32(112, extensionDataFile).u32(116, 4) }, ErrExternal, "0x44415441"},
		{"luks header", func(b image) image { return b.u32(112, extensionCrypto).u32(116, 16) }, ErrEncrypted, "0x0537be77"},
		{"extension too long", func(b image) image { return b.u32(112, 1).u32(116, 1<<32-1) }, ErrInconsistent, "length 4294967295"},
		{"wrong zstd", func(b image) image { return b.u32(tinyPacked, 1) }, ErrInconsistent, "zstd: 0 of 512"},
		{"wrong second frame", func(b image) image {
			n, _, _ := zstdFrame(b[tinyPacked:])
			return b.u32(tinyPacked+n, 1)
		}, ErrInconsistent, "zstd: 256 of 512"},
	})
	err := readAll(t, tinyQCOW2(t, compressedZstd), Options{})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "no decompressor") {
		t.Errorf("zstd without a decompressor: %v", err)
	}
}

func TestQCOW2Tables(t *testing.T) {
	second := func(b image, entry uint64) image { return b.u64(tinyL2+24, entry) }
	runHostile(t, func() image { return tinyQCOW2(t, compressedDeflate) }, []hostile{
		{"L1 low bits", func(b image) image { return b.u64(tinyL1, tinyL2|1) }, ErrInconsistent, "L1 table, entry 0: entry 0x0000000000000401: reserved bits 0x1"},
		{"L1 high bits", func(b image) image { return b.u64(tinyL1, 1<<60|tinyL2) }, ErrInconsistent, "reserved bits"},
		{"L2 beyond", func(b image) image { return b.u64(tinyL1, 1<<50) }, ErrTruncated, "L2 table at"},
		{"L2 cut", func(b image) image { return b.u64(tinyL1, 0xa00).cut(100) }, ErrTruncated, "L2 table at 2560"},
		{"L2 on the header", func(b image) image { return b.u64(tinyL1, 0).u64(tinyL2, 0).u64(tinyL1, tinyL1) }, ErrInconsistent, "offset 512: cluster is in use"},
		{"two L1 entries, one L2", func(b image) image { return b.u64(24, 100*512).u32(36, 2).u64(tinyL1+8, tinyL2) }, ErrInconsistent, "entry 1: offset 1024: cluster is in use"},
		{"cluster twice", func(b image) image { return second(b, entryCopied|tinyData) }, ErrInconsistent, "guest cluster 3: offset 2048: cluster is in use"},
		{"cluster on L2", func(b image) image { return second(b, entryCopied|tinyL2) }, ErrInconsistent, "in use"},
		{"cluster on refcounts", func(b image) image { return second(b, entryCopied|tinyRef) }, ErrInconsistent, "in use"},
		{"cluster beyond", func(b image) image { return second(b, entryCopied|1<<40) }, ErrTruncated, "guest cluster 3: offset 1099511627776"},
		{"cluster cut", func(b image) image { return second(b, entryCopied|0xc00).extend(100) }, ErrTruncated, "512 bytes end beyond"},
		{"reserved bits", func(b image) image { return second(b, tinyData|1<<3) }, ErrInconsistent, "reserved bits 0x8"},
		{"copied nothing", func(b image) image { return second(b, entryCopied) }, ErrInconsistent, "bit 63"},
		{"zero bit in version 2", func(b image) image { return b.u32(4, 2).u64(72, 0) }, ErrInconsistent, "guest cluster 2"},
		{"packed beyond", func(b image) image { return second(b, entryCompressed|1<<40) }, ErrTruncated, "compressed bytes end beyond"},
		{"packed too long", func(b image) image { return second(b, entryCompressed|1<<61|tinyPacked) }, ErrTruncated, "compressed bytes end beyond"},
		{"packed high offset", func(b image) image { return second(b, entryCompressed|1<<57) }, ErrInconsistent, "above 55"},
		{"packed and copied", func(b image) image { return second(b, entryCompressed|entryCopied|tinyPacked) }, ErrInconsistent, "bit 63 of a compressed"},
		{"packed on L2", func(b image) image { return second(b, entryCompressed|tinyL2) }, ErrInconsistent, "cluster of compressed bytes"},
		{"packed garbage", func(b image) image { return b.u64(tinyPacked, 1<<64-1) }, ErrInconsistent, "compressed cluster at 2560: deflate"},
		{"packed short", func(b image) image { copy(b[tinyPacked:], pack(t, compressedDeflate, []byte("short"))); return b }, ErrInconsistent, "deflate: 5 of 512"},
	})
}

func TestQCOW2Extended(t *testing.T) {
	const l2 = 32 << 10
	runHostile(t, extendedQCOW2, []hostile{
		{"zero bit", func(b image) image { return b.u64(l2, 64<<10|1) }, ErrInconsistent, "bit 0"},
		{"both", func(b image) image { return b.u64(l2+8, 1<<32|1) }, ErrInconsistent, "both data and zeros"},
		{"no offset", func(b image) image { return b.u64(l2, 0) }, ErrInconsistent, "data without an offset"},
		{"compressed", func(b image) image { return b.u64(l2, entryCompressed|64<<10) }, ErrInconsistent, "subcluster bitmap"},
		{"unaligned", func(b image) image { return b.u64(l2, 64<<10+512) }, ErrInconsistent, "multiple of 16384"},
		{"cut", func(b image) image { return b.u64(l2+8, 1<<31).cut(512) }, ErrTruncated, "guest cluster 0"},
	})
	if err := readAll(t, extendedQCOW2().cut(28*512), Options{}); err != nil {
		t.Errorf("missing subclusters that hold no data: %v", err)
	}
}

// TestQCOW2Amplified: a table whose compressed clusters are all the same bytes is a small file that
// pretends to be a large disk.
func TestQCOW2Amplified(t *testing.T) {
	b := tinyQCOW2(t, compressedDeflate).u64(24, 64*512)
	stored := uint64(1) // one more sector, so that each claims 513 bytes for itself
	for i := range 64 {
		b.u64(tinyL2+8*i, entryCompressed|stored<<61|tinyPacked)
	}
	err := readAll(t, b.extend(512), Options{})
	if !errors.Is(err, ErrInconsistent) || !strings.Contains(err.Error(), "overlap") {
		t.Fatalf("got %v", err)
	}
}

func TestVHDHostile(t *testing.T) {
	both := func(b image, off int, v uint32) image { return b.u32(off, v).u32(tinyFooter+off, v).sum() }
	both64 := func(b image, off int, v uint64) image { return b.u64(off, v).u64(tinyFooter+off, v).sum() }
	header := func(b image, off int, v uint32) image { return b.u32(tinyHeader+off, v).sum() }
	runHostile(t, tinyVHD, []hostile{
		{"cut", func(b image) image { return b.cut(512) }, ErrTruncated, "vhd footer: cookie"},
		{"short", func(b image) image { return b[:100] }, ErrTruncated, "length 100"},
		{"checksum", func(b image) image { return b.u8(tinyFooter+70, 1) }, ErrInconsistent, "vhd footer: checksum"},
		{"copy's checksum", func(b image) image { return b.u8(70, 1) }, ErrInconsistent, "vhd footer copy: checksum"},
		{"copy differs", func(b image) image { return b.u8(70, 1).sum() }, ErrInconsistent, "vhd footer copy: type 3"},
		{"no copy", func(b image) image { return b.u8(0, 0) }, ErrInconsistent, "vhd footer copy: cookie"},
		{"version", func(b image) image { return both(b, 12, 0x20000) }, ErrUnsupported, "file_format_version"},
		{"differencing", func(b image) image { return both(b, 60, vhdDifferencing) }, ErrExternal, "disk_type 4"},
		{"type 7", func(b image) image { return both(b, 60, 7) }, ErrUnsupported, "disk_type 7"},
		{"type fixed", func(b image) image { return both(b, 60, vhdFixed) }, ErrInconsistent, "current_size 8704: file must have"},
		{"saved state", func(b image) image { return both(b, 84, 1<<24) }, ErrUnsupported, "saved_state 1"},
		{"size 0", func(b image) image { return both64(b, 48, 0) }, ErrEmpty, "current_size 0"},
		{"size odd", func(b image) image { return both64(b, 48, 1000) }, ErrUnaligned, "current_size 1000"},
		{"size huge", func(b image) image { return both64(b, 48, 1<<63) }, ErrTooLarge, "current_size"},
		{"size above the table", func(b image) image { return both64(b, 48, 5*vhdMinBlock) }, ErrInconsistent, "max_table_entries 3: must be 5"},
		{"data_offset odd", func(b image) image { return both64(b, 16, 513) }, ErrInconsistent, "data_offset 513"},
		{"data_offset beyond", func(b image) image { return both64(b, 16, 1<<40) }, ErrTruncated, "data_offset 1099511627776"},
		{"data_offset negative", func(b image) image { return both64(b, 16, 1<<63) }, ErrInconsistent, "data_offset"},
		{"header cookie", func(b image) image { return b.u8(tinyHeader, 0).sum() }, ErrInconsistent, "vhd header: cookie"},
		{"header checksum", func(b image) image { return b.u8(tinyHeader+800, 1) }, ErrInconsistent, "vhd header: checksum"},
		{"header version", func(b image) image { return header(b, 24, 0) }, ErrUnsupported, "header_version"},
		{"table_offset 0", func(b image) image { return header(b, 20, 0) }, ErrInconsistent, "table_offset 0"},
		{"table_offset beyond", func(b image) image { return header(b, 16, 1) }, ErrTruncated, "table_offset"},
		{"entries huge", func(b image) image { return header(b, 28, 1<<32-1) }, ErrInconsistent, "max_table_entries 4294967295"},
		{"entries beyond the file", func(b image) image { return header(b, 28, 1<<20) }, ErrTruncated, "1048576 entries end beyond"},
		{"block_size 0", func(b image) image { return header(b, 32, 0) }, ErrInconsistent, "block_size 0"},
		{"block_size odd", func(b image) image { return header(b, 32, 5000) }, ErrInconsistent, "block_size 5000"},
		{"block_size huge", func(b image) image { return header(b, 32, 1<<31) }, ErrInconsistent, "block_size 2147483648"},
		{"parent id", func(b image) image { return header(b, 40, 1) }, ErrExternal, "parent_unique_id"},
		{"parent locator", func(b image) image { return header(b, 576+24, 0x57326b75) }, ErrExternal, "parent_locator 1"},
		{"block beyond", func(b image) image { return b.u32(tinyTable+4, 1<<31) }, ErrTruncated, "block 1: sector 2147483648"},
		{"block in the footer", func(b image) image { return b.u32(tinyTable+8, tinyLast/512+1) }, ErrTruncated, "block 2"},
		{"block twice", func(b image) image { return b.u32(tinyTable+4, tinyBlock/512) }, ErrInconsistent, "must not lie in what begins at"},
		{"block on the header", func(b image) image { return b.u32(tinyTable, 2) }, ErrInconsistent, "must not lie in what begins at"},
		{"block on the footer copy", func(b image) image { return b.u32(tinyTable, 0) }, ErrInconsistent, "must not lie in what begins at"},
	})
	runHostile(t, fixedVHD, []hostile{
		{"longer", func(b image) image { return b.extend(512).footer(1536, vhdFixed, 1024, 0).sum() }, ErrInconsistent, "current_size 1024"},
		{"shorter", func(b image) image { return b[512:].u64(512+48, 2048).sum() }, ErrInconsistent, "current_size 2048"},
		{"dynamic", func(b image) image { return b.u32(1024+60, vhdDynamic).sum() }, ErrInconsistent, "footer copy"},
	})
}
