package diskformat

const (
	vmdkMagic        = "KDMV"
	vmdkESXMagic     = "COWD"
	vmdkTableEntries = 512 // of a grain table, always
	vmdkEntrySize    = 4
	vmdkZeroGrain    = 1         // an entry that says zeros, with that flag
	vmdkAtEnd        = 1<<64 - 1 // a directory offset that is in the footer
	// Bounds of the reader. All that is known writes grains of 64 KiB; with those a directory of
	// vmdkMaxTables, 16 MiB, covers more than the largest disk.
	vmdkMinGrain  = 4 << 10
	vmdkMaxGrain  = 1 << 20
	vmdkMaxTables = 4 << 20
)

// The flags of a header.
const (
	vmdkNewlines   = 1 << 0
	vmdkRedundant  = 1 << 1
	vmdkZeroGrains = 1 << 2
	vmdkPacked     = 1 << 16
	vmdkMarkers    = 1 << 17
)

// vmdkHeader is what the header of a sparse extent says, after its checks. Offsets are in bytes.
type vmdkHeader struct {
	size         int64
	grainSize    int64
	descriptorAt int64
	descriptor   int64 // bytes
	directoryAt  int64
	redundantAt  int64 // 0: there is no second directory
	footer       bool  // the header lies at the end, too
	zeroGrains   bool
	packed       bool
}

// tableCount is the number of grain tables that cover the disk.
func (h *vmdkHeader) tableCount() int64 {
	covered := h.grainSize * vmdkTableEntries
	return (h.size + covered - 1) / covered
}

// readVMDKHeader reads and checks the header, or the footer in its place, and the descriptor.
func readVMDKHeader(src Source, o Options) (*vmdkHeader, error) {
	b := make([]byte, min(SectorSize, src.Size()))
	if err := readFull(src, b, 0); err != nil {
		return nil, inVMDK("header", err)
	}
	switch {
	case string(b[:4]) == vmdkESXMagic:
		return nil, inVMDK("header", refuse(ErrExternal, "magic %q (extent of an ESX host's sparse disk): must be %q", vmdkESXMagic, vmdkMagic))
	case string(b[:4]) != vmdkMagic: // a text
		return nil, checkVMDKText(src)
	case len(b) < SectorSize:
		return nil, inVMDK("header", refuse(ErrTruncated, "length %d: must be at least %d", len(b), SectorSize))
	}
	h, err := decodeVMDKHeader(b, o)
	if err != nil {
		return nil, inVMDK("header", err)
	}
	if le64(b, 56) == vmdkAtEnd {
		if h, err = h.readFooter(src, o); err != nil {
			return nil, inVMDK("footer", err)
		}
	}
	return h, h.readDescriptor(src)
}

// decodeVMDKHeader decodes and checks a header or footer of SectorSize bytes.
func decodeVMDKHeader(b []byte, o Options) (*vmdkHeader, error) {
	version, flags := le32(b, 4), le32(b, 8)
	h := &vmdkHeader{zeroGrains: flags&vmdkZeroGrains != 0, packed: flags&vmdkPacked != 0}
	switch {
	case version < 1 || version > 3:
		return nil, refuse(ErrUnsupported, "version %d: must be 1 to 3", version)
	case b[72] != 0:
		return nil, refuse(ErrInconsistent, "unclean_shutdown %d: must be 0: shut the machine down, or repair the disk", b[72])
	case flags&vmdkNewlines != 0 && string(b[73:77]) != "\n \r\n":
		return nil, refuse(ErrInconsistent, "newline characters %q: must be %q: file was copied as a text", b[73:77], "\n \r\n")
	case h.packed != (flags&vmdkMarkers != 0):
		return nil, refuse(ErrUnsupported, "flags %#x: compressed grains and markers must go together", flags)
	case h.packed && le16(b, 77) != 1:
		return nil, refuse(ErrUnsupported, "compress_algorithm %d: must be 1 (deflate)", le16(b, 77))
	case !h.packed && le16(b, 77) != 0:
		return nil, refuse(ErrInconsistent, "compress_algorithm %d: must be 0 without compressed grains", le16(b, 77))
	}
	return h, h.decodePlaces(b, flags, o)
}

// decodePlaces decodes the fields that are numbers of sectors.
func (h *vmdkHeader) decodePlaces(b []byte, flags uint32, o Options) error {
	const most = 1<<63/SectorSize - 1
	sectors := func(name string, off int) (int64, error) {
		v := le64(b, off)
		if v > most {
			return 0, refuse(ErrInconsistent, "%s %d: must be at most %d", name, v, most)
		}
		return int64(v) * SectorSize, nil
	}
	for _, f := range []struct {
		name string
		off  int
		to   *int64
		skip bool
	}{
		{"capacity", 12, &h.size, false}, {"grain_size", 20, &h.grainSize, false},
		{"descriptor_offset", 28, &h.descriptorAt, false}, {"descriptor_size", 36, &h.descriptor, false},
		{"rgd_offset", 48, &h.redundantAt, flags&vmdkRedundant == 0},
		{"gd_offset", 56, &h.directoryAt, le64(b, 56) == vmdkAtEnd},
	} {
		if f.skip {
			continue
		}
		var err error
		if *f.to, err = sectors(f.name, f.off); err != nil {
			return err
		}
	}
	if n := h.grainSize; n < vmdkMinGrain || n > vmdkMaxGrain || n&(n-1) != 0 {
		return refuse(ErrInconsistent, "grain_size %d bytes: must be a power of two from %d to %d", n, vmdkMinGrain, vmdkMaxGrain)
	}
	if n := le32(b, 44); n != vmdkTableEntries {
		return refuse(ErrInconsistent, "num_gtes_per_gt %d: must be %d", n, vmdkTableEntries)
	}
	if err := checkSize("capacity", h.size, o); err != nil {
		return err
	}
	if n := h.tableCount(); n > vmdkMaxTables {
		return refuse(ErrTooLarge, "capacity %d: grains of %d bytes need %d tables: must be at most %d", h.size, h.grainSize, n, vmdkMaxTables)
	}
	return nil
}

// readFooter reads the header's copy at the file's end, which says where the directory is: the last
// sectors are the footer's marker, the footer, and the marker of the end.
func (h *vmdkHeader) readFooter(src Source, o Options) (*vmdkHeader, error) {
	const length = 3 * SectorSize
	if src.Size() < 4*SectorSize {
		return nil, refuse(ErrTruncated, "length %d: must be at least %d", src.Size(), 4*SectorSize)
	}
	b := make([]byte, length)
	if err := readFull(src, b, src.Size()-length); err != nil {
		return nil, err
	}
	if n, kind := le64(b, 0), le32(b, 12); n != 1 || le32(b, 8) != 0 || kind != 3 {
		return nil, refuse(ErrTruncated, "marker of type %d and %d sectors: must be of type 3 (footer) and 1 sector", kind, n)
	}
	if n, kind := le64(b, 2*SectorSize), le32(b, 2*SectorSize+12); n != 0 || le32(b, 2*SectorSize+8) != 0 || kind != 0 {
		return nil, refuse(ErrTruncated, "marker of type %d and %d sectors: must be of type 0 (end of stream)", kind, n)
	}
	b = b[SectorSize:]
	if string(b[:4]) != vmdkMagic {
		return nil, refuse(ErrInconsistent, "magic %q: must be %q", b[:4], vmdkMagic)
	}
	f, err := decodeVMDKHeader(b, o)
	if err != nil {
		return nil, err
	}
	if le64(b, 56) == vmdkAtEnd {
		return nil, refuse(ErrInconsistent, "gd_offset: must be known in the footer")
	}
	if f.size != h.size || f.grainSize != h.grainSize || f.packed != h.packed || f.descriptorAt != h.descriptorAt || f.descriptor != h.descriptor {
		return nil, refuse(ErrInconsistent, "capacity %d, grain_size %d: must be the header's %d, %d, and so must flags and descriptor", f.size, f.grainSize, h.size, h.grainSize)
	}
	f.footer = true
	return f, nil
}
