package diskformat

import (
	"bytes"
	"encoding/hex"
)

const (
	vhdxRegionMagic  = "regi"
	vhdxRegionLength = 64 << 10
	vhdxMaxEntries   = 2047 // of a region table, and of the metadata's
)

// vhdxRegionTables are the places of the two copies of the region table.
var vhdxRegionTables = [2]int64{192 << 10, 256 << 10}

// vhdxGUID is an identifier as it lies in the file: its first three parts little-endian.
type vhdxGUID [16]byte

// vhdxID makes one from the bytes in the file's order.
func vhdxID(text string) vhdxGUID {
	b, _ := hex.DecodeString(text) // of constants
	return vhdxGUID(b)
}

var (
	vhdxBAT      = vhdxID("6677c22d23f600429d64115e9bfd4a08")
	vhdxMetadata = vhdxID("06a27c8b90479a4bb8fe575f050f886e")
)

// vhdxRegion is a stretch of the file, on borders of MiBs.
type vhdxRegion struct{ offset, length int64 }

// check holds the rules for the place of a region.
func (r vhdxRegion) check(what string) error {
	switch {
	case r.offset < vhdxMiB || r.offset%vhdxMiB != 0:
		return refuse(ErrInconsistent, "%s offset %d: must be a multiple of %d above 0", what, uint64(r.offset), vhdxMiB)
	case r.length < vhdxMiB || r.length%vhdxMiB != 0:
		return refuse(ErrInconsistent, "%s length %d: must be a multiple of %d above 0", what, r.length, vhdxMiB)
	}
	return nil
}

// vhdxRegions is the region table.
type vhdxRegions struct {
	bat, metadata vhdxRegion
	others        []vhdxRegion // known to somebody else, who says that they may be ignored
}

// readVHDXRegions reads the table from a valid copy. Two valid ones must be equal.
func readVHDXRegions(src Source) (vhdxRegions, error) {
	var raw [2][]byte
	var failed [2]error
	for i, at := range vhdxRegionTables {
		raw[i] = make([]byte, vhdxRegionLength)
		if err := readFull(src, raw[i], at); err != nil {
			return vhdxRegions{}, err
		}
		failed[i] = checkVHDXSum(raw[i], vhdxRegionMagic)
	}
	switch {
	case failed[0] != nil && failed[1] != nil:
		return vhdxRegions{}, failed[0]
	case failed[0] != nil:
		return decodeVHDXRegions(raw[1])
	case failed[1] == nil && !bytes.Equal(raw[0], raw[1]):
		return vhdxRegions{}, refuse(ErrInconsistent, "two copies: must be equal")
	}
	return decodeVHDXRegions(raw[0])
}

func decodeVHDXRegions(b []byte) (vhdxRegions, error) {
	var out vhdxRegions
	count := int64(le32(b, 8))
	if count > vhdxMaxEntries {
		return out, refuse(ErrInconsistent, "entry_count %d: must be at most %d", count, vhdxMaxEntries)
	}
	for i := range int(count) {
		e := b[16+i*32:]
		id, required := vhdxGUID(e), le32(e, 28)&1 != 0
		r := vhdxRegion{offset: int64(le64(e, 16)), length: int64(le32(e, 24))}
		if err := r.check("region " + hex.EncodeToString(id[:])); err != nil {
			return out, err
		}
		place := &vhdxRegion{}
		switch {
		case id == vhdxBAT:
			place = &out.bat
		case id == vhdxMetadata:
			place = &out.metadata
		case required:
			return out, refuse(ErrUnsupported, "region %x: is required and unknown", id)
		default:
			out.others = append(out.others, r)
		}
		if *place != (vhdxRegion{}) {
			return out, refuse(ErrInconsistent, "region %x: must occur once", id)
		}
		*place = r
	}
	if out.bat == (vhdxRegion{}) || out.metadata == (vhdxRegion{}) {
		return out, refuse(ErrInconsistent, "regions of block allocation table and metadata: must be there")
	}
	return out, nil
}

// claim takes the header section, the log and all regions.
func (r vhdxRegions) claim(c *claims, h vhdxHeader) error {
	all := append([]vhdxRegion{{0, vhdxMiB}, h.log, r.bat, r.metadata}, r.others...)
	for _, x := range all {
		if err := c.claim(x.offset, x.length, x.length); err != nil {
			return err
		}
	}
	return nil
}
