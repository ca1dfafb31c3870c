package pack

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	directoryMagic = "LgPd"
	trailerMagic   = "LgPackV\n"
)

// Append writes the directory's bytes behind dst.
func (d *Directory) Append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(dst, directoryMagic...)
	dst = append(dst, FormatVersion, byte(d.Kind), 0, 0)
	dst = le.AppendUint32(dst, uint32(len(d.Frames)))
	dst = le.AppendUint32(dst, uint32(d.chunkCount()))
	for i := range d.Frames {
		f := &d.Frames[i]
		dst = append(dst, f.ID[:]...)
		dst = le.AppendUint32(dst, f.Stored)
		dst = le.AppendUint32(dst, f.Plain)
		dst = le.AppendUint32(dst, uint32(len(f.Chunks)))
	}
	for i := range d.Frames {
		for _, c := range d.Frames[i].Chunks {
			dst = append(dst, c.ID[:]...)
			dst = le.AppendUint32(dst, c.Length)
		}
	}
	return dst
}

// appendTrailer writes what follows the directory.
func appendTrailer(dst, directory []byte) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, uint32(len(directory)))
	dst = le.AppendUint32(dst, FormatVersion)
	dst = le.AppendUint32(dst, checksum(directory, dst[start:]))
	return append(dst, trailerMagic...)
}

// checksum is the CRC-32C of the directory and the trailer's first eight bytes. It tells damage
// from malice cheaply; only the id proves anything.
func checksum(directory, head []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(directory, table), table, head)
}
