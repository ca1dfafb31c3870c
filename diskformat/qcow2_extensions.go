package diskformat

import "bytes"

// The header extensions that matter to a reader; all others can be ignored, as the format says.
const (
	extensionEnd      = 0
	extensionFeatures = 0x6803f857
	extensionCrypto   = 0x0537be77
	extensionDataFile = 0x44415441
)

// A feature name table has entries of featureEntry bytes: kind, bit, name.
const featureEntry = 48

// qcow2Extensions walks the header extensions, which begin at off of the first cluster, refuses
// those that no reader of a single plain file can serve, and returns the names that the image
// gives to the bits of its incompatible features.
func qcow2Extensions(first []byte, off int) (map[int]string, error) {
	names := make(map[int]string)
	for len(first)-off >= 8 {
		kind, length := be32(first, off), int64(be32(first, off+4))
		off += 8
		if kind == extensionEnd {
			return names, nil
		}
		if length > int64(len(first)-off) {
			return nil, refuse(ErrInconsistent, "extension %#08x: length %d: must end within the first cluster", kind, length)
		}
		switch kind {
		case extensionDataFile:
			return nil, refuse(ErrExternal, "extension %#08x (external data file)", kind)
		case extensionCrypto:
			return nil, refuse(ErrEncrypted, "extension %#08x (full disk encryption)", kind)
		case extensionFeatures:
			nameFeatures(names, first[off:off+int(length)])
		}
		off += int(length+7) &^ 7
	}
	return names, nil
}

// nameFeatures reads a feature name table.
func nameFeatures(names map[int]string, table []byte) {
	for ; len(table) >= featureEntry; table = table[featureEntry:] {
		if table[0] != 0 || table[1] > 63 { // 0: incompatible features
			continue
		}
		name, _, _ := bytes.Cut(table[2:featureEntry], []byte{0})
		names[int(table[1])] = string(name)
	}
}
