package diskformat

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Places in tinyVMDK, whose grains are of 4 KiB: the first is data, the second zeros that are written
// down, and the disk's end cuts the third short.
const (
	tinyVMDKText, tinyGD, tinyGT, tinyRGD, tinyRGT = 512, 1024, 1536, 3584, 4096
	tinyGrain, tinyTail                            = 6144, 10240
	tinyVMDKDisk                                   = 2*4096 + 512
)

func tinyVMDK() image {
	b := make(image, tinyTail+512)
	b.vmdkHeader(0, 2, vmdkNewlines|vmdkRedundant|vmdkZeroGrains, tinyVMDKDisk/512).l64(48, tinyRGD/512).l64(56, tinyGD/512)
	b.put(tinyVMDKText, vmdkText1("monolithicSparse", tinyVMDKDisk/512, "tiny.vmdk"))
	for _, at := range []int{tinyGD, tinyRGD} {
		b.l32(at, uint32(at/512+1)).l32(at+512, tinyGrain/512).l32(at+516, vmdkZeroGrain).l32(at+520, tinyTail/512)
	}
	copy(b[tinyGrain:], bytes.Repeat([]byte("vmdk"), 1<<10))
	copy(b[tinyTail:], bytes.Repeat([]byte("tail"), 128))
	return b
}

func tinyVMDKWant() []byte {
	want := make([]byte, tinyVMDKDisk)
	copy(want, bytes.Repeat([]byte("vmdk"), 1<<10))
	copy(want[2*4096:], bytes.Repeat([]byte("tail"), 128))
	return want
}

// vmdkHeader writes a header of grains of 4 KiB with a descriptor of one sector behind it.
func (b image) vmdkHeader(at int, version, flags uint32, sectors uint64) image {
	b.put(at, vmdkMagic).l32(at+4, version).l32(at+8, flags).l64(at+12, sectors).l64(at+20, 8)
	b.l64(at+28, 1).l64(at+36, 1).l32(at+44, 512).l64(at+64, 2).put(at+73, "\n \r\n")
	if flags&vmdkPacked != 0 {
		b.l16(at+77, 1)
	}
	return b
}

func vmdkText1(kind string, sectors int, name string) string {
	return fmt.Sprintf("%s\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=%q\n\n# Extent description\nRW %d SPARSE %q\n\n#DDB\nddb.adapterType = \"ide\"\n", vmdkDescriptorMagic, kind, sectors, name)
}

// streamVMDK writes a stream-optimised disk as exporters do: grains in order, tables behind them, and
// the directory's place in a footer.
func streamVMDK(t testing.TB, disk []byte) image {
	t.Helper()
	return streamVMDKOf(t, disk, 4096)
}

// streamVMDKOf is streamVMDK with a last grain of at least so many bytes.
func streamVMDKOf(t testing.TB, disk []byte, last int) image {
	t.Helper()
	const flags = vmdkNewlines | vmdkPacked | vmdkMarkers
	b := make(image, 1024).vmdkHeader(0, 3, flags, uint64(len(disk)/512)).l64(56, vmdkAtEnd)
	b.put(512, vmdkText1("streamOptimized", len(disk)/512, "stream.vmdk"))
	table, directory := make(image, vmdkTableLength), make(image, 512)
	for at := 0; at < len(disk); at += 4096 {
		grain := disk[at:min(at+4096, len(disk))]
		if bytes.Equal(grain, make([]byte, len(grain))) {
			continue
		}
		table.l32(at/4096*4, uint32(len(b)/512))
		var out bytes.Buffer
		w := zlib.NewWriter(&out)
		w.Write(grain)
		w.Write(make([]byte, max(0, last-len(grain))))
		w.Close()
		b = append(b, make(image, vmdkMarker).l64(0, uint64(at/512)).l32(8, uint32(out.Len()))...)
		b = append(b, out.Bytes()...)
		b = b.extend(-len(b) & 511)
	}
	marker := func(sectors uint64, kind uint32) image { return make(image, 512).l64(0, sectors).l32(12, kind) }
	b = append(b, marker(4, 1)...)
	directory.l32(0, uint32(len(b)/512))
	b = append(append(b, table...), marker(1, 2)...)
	at := len(b)
	b = append(append(b, directory...), marker(1, 3)...)
	b = b.extend(512).vmdkHeader(len(b), 3, flags, uint64(len(disk)/512)).l64(len(b)+56, uint64(at/512))
	return append(b, marker(0, 0)...)
}

func TestVMDKHeader(t *testing.T) {
	text := func(old, new string) func(image) image {
		return func(b image) image {
			s := strings.TrimRight(string(b[tinyVMDKText:tinyGD]), "\x00")
			if !strings.Contains(s, old) {
				t.Fatalf("no %q", old)
			}
			clear(b[tinyVMDKText:tinyGD])
			return b.put(tinyVMDKText, strings.Replace(s, old, new, 1))
		}
	}
	runHostile(t, tinyVMDK, []hostile{
		{"magic alone", func(b image) image { return b[:4] }, ErrTruncated, "vmdk header: length 4"},
		{"esx", func(b image) image { return b.put(0, "COWD") }, ErrExternal, `magic "COWD"`},
		{"version 0", func(b image) image { return b.l32(4, 0) }, ErrUnsupported, "version 0"},
		{"version 4", func(b image) image { return b.l32(4, 4) }, ErrUnsupported, "version 4"},
		{"unclean", func(b image) image { return b.u8(72, 1) }, ErrInconsistent, "unclean_shutdown 1"},
		{"newlines", func(b image) image { return b.put(73, "\n \n\n") }, ErrInconsistent, "newline characters"},
		{"packed without markers", func(b image) image { return b.l32(8, vmdkPacked|3) }, ErrUnsupported, "must go together"},
		{"algorithm", func(b image) image { return b.l16(77, 1) }, ErrInconsistent, "compress_algorithm 1: must be 0"},
		{"capacity 0", func(b image) image { return b.l64(12, 0) }, ErrEmpty, "capacity 0"},
		{"capacity huge", func(b image) image { return b.l64(12, 1<<53) }, ErrTooLarge, "capacity 4611686018427387904"},
		{"capacity max", func(b image) image { return b.l64(12, 1<<64-1) }, ErrInconsistent, "capacity 18446744073709551615"},
		{"grain 0", func(b image) image { return b.l64(20, 0) }, ErrInconsistent, "grain_size 0"},
		{"grain odd", func(b image) image { return b.l64(20, 9) }, ErrInconsistent, "grain_size 4608"},
		{"grain huge", func(b image) image { return b.l64(20, 1<<20) }, ErrInconsistent, "grain_size 536870912"},
		{"tables of 256", func(b image) image { return b.l32(44, 256) }, ErrInconsistent, "num_gtes_per_gt 256"},
		{"no descriptor", func(b image) image { return b.l64(28, 0) }, ErrExternal, "descriptor_offset 0"},
		{"descriptor huge", func(b image) image { return b.l64(36, 1<<40) }, ErrInconsistent, "descriptor_size"},
		{"descriptor beyond", func(b image) image { return b.l64(28, 1<<40) }, ErrTruncated, "descriptor_offset"},
		{"directory beyond", func(b image) image { return b.l64(56, 1<<40) }, ErrTruncated, "vmdk grain directory"},
		{"directory on the header", func(b image) image { return b.l64(56, 0) }, ErrInconsistent, "in use"},
		{"no footer", func(b image) image { return b.l64(56, vmdkAtEnd) }, ErrTruncated, "vmdk footer: marker"},
		{"not a descriptor", text("# Disk", "# Disc"), ErrInconsistent, "first line"},
		{"version 9", text("version=1", "version=9"), ErrUnsupported, `version "9"`},
		{"no parentCID", text("parentCID=ffffffff\n", ""), ErrExternal, `parentCID ""`},
		{"parent", text("parentCID=ffffffff", "parentCID=12345678"), ErrExternal, `parentCID "12345678"`},
		{"parent's name", text("#DDB", "parentFileNameHint=\"/etc/x\"\n#DDB"), ErrExternal, `parentFileNameHint "/etc/x"`},
		{"flat", text("monolithicSparse", "monolithicFlat"), ErrExternal, `createType "monolithicFlat"`},
		{"vmfs", text("monolithicSparse", "vmfsThin"), ErrExternal, `createType "vmfsThin"`},
		{"twice", text("version=1", "version=1\nversion=1"), ErrInconsistent, "version: must occur once"},
		{"no extent", text("RW 17 SPARSE \"tiny.vmdk\"\n", ""), ErrExternal, "0 extents"},
		{"two extents", text("RW 17", "RW 17 SPARSE \"b\"\nRW 17"), ErrExternal, "2 extents"},
		{"flat extent", text("SPARSE \"tiny.vmdk\"", "FLAT \"tiny.vmdk\" 0"), ErrInconsistent, "must be ACCESS SECTORS SPARSE"},
		{"zero extent", text("SPARSE", "ZERO"), ErrExternal, "type must be SPARSE"},
		{"no access", text("RW 17", "NOACCESS 17"), ErrUnsupported, "access must be"},
		{"path", text("tiny.vmdk", "/dev/sda"), ErrExternal, "name must be of this file"},
		{"other path", text("tiny.vmdk", `..\\x`), ErrExternal, "name must be of this file"},
		{"more sectors", text("RW 17", "RW 18"), ErrInconsistent, "sectors must be the header's capacity 17"},
		{"far less sectors", text("RW 17", "RW 9"), ErrInconsistent, "sectors must be the header's capacity 17"},
		{"nonsense", text("#DDB", "hello"), ErrInconsistent, `line "hello"`},
	})
}

func TestVMDKTables(t *testing.T) {
	both := func(b image, off int, v uint32) image { return b.l32(tinyGT+off, v).l32(tinyRGT+off, v) }
	runHostile(t, tinyVMDK, []hostile{
		{"table beyond", func(b image) image { return b.l32(tinyGD, 1<<31) }, ErrTruncated, "grain directory, entry 0: offset 1099511627776"},
		{"table on the text", func(b image) image { return b.l32(tinyGD, 1) }, ErrInconsistent, "grain directory, entry 0: offset 512: is in use"},
		{"grain beyond", func(b image) image { return both(b, 4, 1<<31) }, ErrTruncated, "grain 1: offset 1099511627776"},
		{"grain cut", func(b image) image { return b.cut(1) }, ErrTruncated, "grain 2: offset 10240: 512 bytes end beyond"},
		{"grain twice", func(b image) image { return both(b, 4, tinyGrain/512) }, ErrInconsistent, "in use"},
		{"grains overlap", func(b image) image { return both(b, 8, tinyGrain/512+7) }, ErrInconsistent, "grain 2: offset 9728: is in use"},
		{"grain on a table", func(b image) image { return both(b, 4, tinyGT/512) }, ErrInconsistent, "in use"},
		{"zeros without the flag", func(b image) image { return b.l32(8, 3) }, ErrInconsistent, "grain 1: offset 512: is in use"},
		{"second table differs", func(b image) image { return b.l32(tinyRGT+4, 0) }, ErrInconsistent, "table at 4096 must be equal"},
		{"second table missing", func(b image) image { return b.l32(tinyRGD, 0) }, ErrInconsistent, "must have a table where"},
		{"one table for both", func(b image) image { return b.l32(tinyRGD, tinyGT/512) }, ErrInconsistent, "redundant grain directory: entry 0: offset 1536: is in use"},
		{"second directory beyond", func(b image) image { return b.l64(48, 1<<30) }, ErrTruncated, "vmdk header: offset 549755813888"},
	})
}

func TestVMDKStream(t *testing.T) {
	valid := func() image { return streamVMDK(t, tinyVMDKWant()) }
	end := len(valid())
	const first = 1024 // the first grain's marker
	runHostile(t, valid, []hostile{
		{"cut", func(b image) image { return b.cut(512) }, ErrTruncated, "vmdk footer: marker"},
		{"footer's magic", func(b image) image { return b.u8(end-1024, 0) }, ErrInconsistent, "vmdk footer: magic"},
		{"footer's capacity", func(b image) image { return b.l64(end-1024+12, 18) }, ErrInconsistent, "capacity 9216, grain_size 4096: must be the header's 8704"},
		{"footer at the end", func(b image) image { return b.l64(end-1024+56, vmdkAtEnd) }, ErrInconsistent, "gd_offset: must be known"},
		{"no end", func(b image) image { return b.u8(end-512, 1) }, ErrTruncated, "must be of type 0"},
		{"algorithm", func(b image) image { return b.l16(77, 2) }, ErrUnsupported, "compress_algorithm 2"},
		{"another grain", func(b image) image { return b.l64(first, 8) }, ErrInconsistent, "vmdk grain 0 at 1024: marker: sector 8 of the disk: must be 0"},
		{"length 0", func(b image) image { return b.l32(first+8, 0) }, ErrInconsistent, "marker: 0 compressed bytes"},
		{"length huge", func(b image) image { return b.l32(first+8, 1<<31) }, ErrInconsistent, "marker: 2147483648 compressed bytes: must be 1 to 8704"},
		{"length small", func(b image) image { return b.l32(first+8, 8) }, ErrInconsistent, "deflate"},
		{"header", func(b image) image { return b.u8(first+12, 0) }, ErrInconsistent, "deflate: zlib: invalid header"},
		{"checksum", func(b image) image { n := int(le32(b, first+8)); return b.u8(first+12+n-1, b[first+12+n-1]+1) }, ErrInconsistent, "zlib: invalid checksum"},
	})
	b := streamVMDK(t, tinyVMDKWant())
	long := make(image, 0, len(b))
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	w.Write(make([]byte, 4097))
	w.Close()
	long = append(long, b...).l32(first+8, uint32(out.Len()))
	copy(long[first+12:], out.Bytes())
	if err := readAll(t, long, Options{}); err == nil || !strings.Contains(err.Error(), "more than the 4096 bytes of a grain") {
		t.Errorf("a grain that unpacks to more: %v", err)
	}
}

// TestVMDKFooter: qemu-img, which writes no footers, reads the same of such a disk as we do.
func TestVMDKFooter(t *testing.T) {
	rnd, dir := seeded(t), t.TempDir()
	raw, image := filepath.Join(dir, "raw"), filepath.Join(dir, "stream.vmdk")
	disk := writeRaw(t, rnd, raw, 400<<12)
	b := streamVMDK(t, disk)
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	qemuImg(t, "compare", "-f", "raw", "-F", "vmdk", raw, image)
	d, err := Open(image, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	compareDisk(t, rnd, d, disk)
}

// TestVMDKLastGrain: a last grain of a stream may hold more than the disk, or just what the disk has.
func TestVMDKLastGrain(t *testing.T) {
	rnd := seeded(t)
	for _, last := range []int{0, 1024, 4096} {
		d, err := New(streamVMDKOf(t, tinyVMDKWant(), last).source(), Options{Format: VMDK})
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 2)
		if _, err := d.ReadAt(p, d.Size()-100); err != nil || string(p) != "ta" {
			t.Errorf("last grain of %d bytes: %q, %v", last, p, err)
		}
		compareDisk(t, rnd, d, tinyVMDKWant())
	}
}

func FuzzVMDK(f *testing.F) {
	f.Add([]byte(tinyVMDK()))
	f.Add([]byte(streamVMDK(f, tinyVMDKWant())))
	f.Add([]byte(vmdkText1("custom", 1, "x")))
	f.Fuzz(func(t *testing.T, b []byte) { exercise(t, b, Options{Format: VMDK, MaxSize: fuzzDisk}) })
}
