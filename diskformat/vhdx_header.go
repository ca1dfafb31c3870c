package diskformat

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

const vhdxMiB = 1 << 20

// Places and lengths that the format fixes, in bytes.
const (
	vhdxFileMagic    = "vhdxfile"
	vhdxHeaderMagic  = "head"
	vhdxHeaderLength = 4 << 10
	vhdxLogSector    = 4 << 10
	vhdxMaxLog       = 256 << 20 // of ours: Hyper-V makes logs of 1 MiB
)

// vhdxHeaders are the places of the two copies of the header, of which the newer valid one counts.
var vhdxHeaders = [2]int64{64 << 10, 128 << 10}

// castagnoli is the polynomial of all of the format's checksums.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// vhdxHeader is the part of a header that reading needs.
type vhdxHeader struct {
	sequence uint64
	log      vhdxRegion
	logID    [16]byte // zero: the log is empty
}

// readVHDXHeader returns the current header, whose log is empty.
func readVHDXHeader(src Source) (vhdxHeader, error) {
	h, err := currentVHDXHeader(src)
	if err != nil {
		return h, inVHDX("header", err)
	}
	if err := h.checkLog(src); err != nil {
		return h, inVHDX("log", err)
	}
	return h, nil
}

// currentVHDXHeader is the valid header with the higher sequence number. One copy may be damaged: it
// is being written when the power fails.
func currentVHDXHeader(src Source) (vhdxHeader, error) {
	var raw [2][]byte
	var failed [2]error
	for i, at := range vhdxHeaders {
		raw[i] = make([]byte, vhdxHeaderLength)
		if err := readFull(src, raw[i], at); err != nil {
			return vhdxHeader{}, err
		}
		failed[i] = checkVHDXSum(raw[i], vhdxHeaderMagic)
	}
	a, b := le64(raw[0], 8), le64(raw[1], 8)
	switch {
	case failed[0] != nil && failed[1] != nil:
		return vhdxHeader{}, failed[0]
	case failed[1] != nil || failed[0] == nil && a > b:
		return decodeVHDXHeader(raw[0])
	case failed[0] == nil && a == b && !bytes.Equal(raw[0], raw[1]):
		return vhdxHeader{}, refuse(ErrInconsistent, "sequence_number %d: two headers that differ have it", a)
	default:
		return decodeVHDXHeader(raw[1])
	}
}

// decodeVHDXHeader decodes and checks a header whose checksum is right.
func decodeVHDXHeader(b []byte) (vhdxHeader, error) {
	h := vhdxHeader{sequence: le64(b, 8), logID: [16]byte(b[48:])}
	if v := le16(b, 66); v != 1 {
		return h, refuse(ErrUnsupported, "version %d: must be 1", v)
	}
	if v := le16(b, 64); v != 0 && h.logID != [16]byte{} {
		return h, refuse(ErrUnsupported, "log_version %d: must be 0", v)
	}
	h.log = vhdxRegion{offset: int64(le64(b, 72)), length: int64(le32(b, 68))}
	if h.log == (vhdxRegion{}) && h.logID == [16]byte{} {
		return h, nil
	}
	if err := h.log.check("log"); err != nil {
		return h, err
	}
	if h.log.length > vhdxMaxLog {
		return h, refuse(ErrUnsupported, "log length %d: must be at most %d", h.log.length, vhdxMaxLog)
	}
	return h, nil
}

// checkLog refuses a log with entries that must be written to their places before the disk is read. A
// log with a name and without entries, or with entries that change nothing, is as good as empty.
func (h vhdxHeader) checkLog(src Source) error {
	if h.logID == [16]byte{} {
		return nil
	}
	if h.log.offset > src.Size()-h.log.length {
		return refuse(ErrTruncated, "log offset %d: %d bytes end beyond the file's %d", h.log.offset, h.log.length, src.Size())
	}
	buf := make([]byte, vhdxMiB)
	for at := int64(0); at < h.log.length; at += vhdxMiB {
		if err := readFull(src, buf, h.log.offset+at); err != nil {
			return err
		}
		for in := 0; in < len(buf); in += vhdxLogSector {
			b := buf[in:]
			if string(b[:4]) == "loge" && [16]byte(b[32:]) == h.logID && le32(b, 24) != 0 {
				return refuse(ErrInconsistent, "entry at %d: log must be empty: attach the disk once, or repair it with qemu-img check -r all", h.log.offset+at+int64(in))
			}
		}
	}
	return nil
}

// checkVHDXSum checks the signature and the CRC-32C of a structure, whose field at 4 counts as zero.
func checkVHDXSum(b []byte, magic string) error {
	if string(b[:len(magic)]) != magic {
		return refuse(ErrInconsistent, "signature %q: must be %q", b[:len(magic)], magic)
	}
	if got, want := le32(b, 4), vhdxSum(b); got != want {
		return refuse(ErrInconsistent, "checksum %#08x: must be %#08x", got, want)
	}
	return nil
}

func vhdxSum(b []byte) uint32 {
	sum := crc32.Update(0, castagnoli, b[:4])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, b[8:])
}

func le16(b []byte, off int) uint16 { return binary.LittleEndian.Uint16(b[off:]) }
func le32(b []byte, off int) uint32 { return binary.LittleEndian.Uint32(b[off:]) }
func le64(b []byte, off int) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
