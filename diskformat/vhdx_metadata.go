package diskformat

import "encoding/hex"

const (
	vhdxMetadataMagic  = "metadata"
	vhdxMetadataLength = 64 << 10 // of the table; the items follow
	vhdxMinBlock       = 1 << 20
	vhdxMaxBlock       = 256 << 20
)

// The metadata items of the format.
var (
	vhdxFileParameters = vhdxID("3767a1ca36fa434db3b633f0aa44e76b")
	vhdxDiskSize       = vhdxID("2442a52f1bcd7648b2115dbed83bf4b8")
	vhdxDiskID         = vhdxID("ab12cabee6b2234593efc309e000c746")
	vhdxLogicalSector  = vhdxID("1dbf41816fa90947ba47f233a8faab5f")
	vhdxPhysicalSector = vhdxID("c748a3cd5d4471449cc9e9885251c556")
	vhdxParentLocator  = vhdxID("2d5fd3a80bb34d45abf7d3d84834ab0c")
)

// vhdxLengths are the items that an image must have, with their lengths in bytes.
var vhdxLengths = map[vhdxGUID]int64{vhdxFileParameters: 8, vhdxDiskSize: 8, vhdxDiskID: 16, vhdxLogicalSector: 4, vhdxPhysicalSector: 4}

// vhdxParameters is what the metadata says of the disk.
type vhdxParameters struct {
	size      int64
	blockSize int64
}

// chunkRatio is the number of payload blocks whose sectors one sector bitmap of 1 MiB covers.
func (p vhdxParameters) chunkRatio() int64 { return 1 << 23 * SectorSize / p.blockSize }

// readVHDXMetadata reads the metadata table and the items that reading needs. The table has no checksum.
func readVHDXMetadata(src Source, region vhdxRegion, o Options) (vhdxParameters, error) {
	b := make([]byte, vhdxMetadataLength)
	if err := readFull(src, b, region.offset); err != nil {
		return vhdxParameters{}, err
	}
	if string(b[:8]) != vhdxMetadataMagic {
		return vhdxParameters{}, refuse(ErrInconsistent, "signature %q: must be %q", b[:8], vhdxMetadataMagic)
	}
	count := int(le16(b, 10))
	if count > vhdxMaxEntries {
		return vhdxParameters{}, refuse(ErrInconsistent, "entry_count %d: must be at most %d", count, vhdxMaxEntries)
	}
	items := map[vhdxGUID][]byte{}
	for i := range count {
		if err := readVHDXItem(src, region, b[32+i*32:][:32], items); err != nil {
			return vhdxParameters{}, err
		}
	}
	for id := range vhdxLengths {
		if items[id] == nil {
			return vhdxParameters{}, refuse(ErrInconsistent, "item %x: must be there", id)
		}
	}
	return decodeVHDXParameters(items, o)
}

// readVHDXItem reads the item of a table's entry, if it is one of those in vhdxLengths.
func readVHDXItem(src Source, region vhdxRegion, e []byte, items map[vhdxGUID][]byte) error {
	id, flags := vhdxGUID(e), le32(e, 24)
	user, required := flags&1 != 0, flags&4 != 0
	offset, length := int64(le32(e, 16)), int64(le32(e, 20))
	name := hex.EncodeToString(id[:])
	want, known := vhdxLengths[id]
	switch {
	case id == vhdxParentLocator && !user:
		return refuse(ErrExternal, "item %s (parent locator): must not be there: merge the disk into its parent", name)
	case (!known || user) && required:
		return refuse(ErrUnsupported, "item %s: is required and unknown", name)
	case !known || user:
		return nil
	case length != want:
		return refuse(ErrInconsistent, "item %s: length %d: must be %d", name, length, want)
	case offset < vhdxMetadataLength || offset > region.length-length:
		return refuse(ErrInconsistent, "item %s: offset %d: must be %d to %d", name, offset, vhdxMetadataLength, region.length-length)
	case items[id] != nil:
		return refuse(ErrInconsistent, "item %s: must occur once", name)
	}
	items[id] = make([]byte, length)
	return readFull(src, items[id], region.offset+offset)
}

func decodeVHDXParameters(items map[vhdxGUID][]byte, o Options) (vhdxParameters, error) {
	p := vhdxParameters{size: int64(le64(items[vhdxDiskSize], 0)), blockSize: int64(le32(items[vhdxFileParameters], 0))}
	if flags := le32(items[vhdxFileParameters], 4); flags&2 != 0 {
		return p, refuse(ErrExternal, "file_parameters: has_parent: must be 0: merge the disk into its parent")
	}
	if n := p.blockSize; n < vhdxMinBlock || n > vhdxMaxBlock || n&(n-1) != 0 {
		return p, refuse(ErrInconsistent, "block_size %d: must be a power of two from %d to %d", n, vhdxMinBlock, vhdxMaxBlock)
	}
	switch n := le32(items[vhdxLogicalSector], 0); n {
	case SectorSize:
	case 4096: // the bytes could be read, but on a disk of 512-byte sectors no guest would find its partitions
		return p, refuse(ErrUnsupported, "logical_sector_size 4096: must be %d", SectorSize)
	default:
		return p, refuse(ErrInconsistent, "logical_sector_size %d: must be %d", n, SectorSize)
	}
	if n := le32(items[vhdxPhysicalSector], 0); n != SectorSize && n != 4096 {
		return p, refuse(ErrInconsistent, "physical_sector_size %d: must be 512 or 4096", n)
	}
	return p, checkSize("virtual_disk_size", p.size, o)
}
