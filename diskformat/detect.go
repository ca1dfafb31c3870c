package diskformat

import (
	"bytes"
	"fmt"
	"strings"
)

// signature is what a format writes at a fixed place of the file.
type signature struct {
	format Format
	offset int64 // from the begin of the file; below zero from its end
	magic  string
}

// signatures lists the containers whose files are not the guest's bytes: those that are read here,
// and those that are only recognised so that nobody takes one for a raw disk. LUKS, file systems
// and archives are missing on purpose: they are what a guest may well have at the begin of a disk.
func signatures() []signature {
	return []signature{
		{QCOW2, 0, "QFI\xfb"},
		{VHD, 0, vhdCookie},
		{VHD, -SectorSize, vhdCookie},
		{"vhdx", 0, "vhdxfile"},
		{"vmdk", 0, "KDMV"},
		{"vmdk", 0, "COWD"},
		{"vmdk", 0, "# Disk DescriptorFile"},
		{"vdi", 0x40, "\x7f\x10\xda\xbe"},
		{"qed", 0, "QED\x00"},
		{"parallels", 0, "WithoutFreeSpace"},
		{"parallels", 0, "WithouFreSpacExt"},
		{"dmg", -SectorSize, "koly"},
	}
}

// detect finds the format by signature and holds it against the declared one.
func detect(r Source, declared Format) (Format, error) {
	switch declared {
	case Auto, Raw, QCOW2, VHD:
	default:
		return "", fmt.Errorf("%w: declared %q: must be raw, qcow2 or vhd", ErrFormat, string(declared))
	}
	found, err := signed(r)
	if err != nil {
		return "", err
	}
	switch {
	case declared != Auto && declared != found:
		return "", fmt.Errorf("%w: declared %s, detected %s", ErrFormat, declared, found)
	case found == Raw || found == QCOW2 || found == VHD:
		return found, nil
	}
	return "", fmt.Errorf("%w: detected %s: must be raw, qcow2 or vhd", ErrFormat, found)
}

// signed returns the format whose signature the file carries; one at the begin goes before one at
// the end. A file without any is raw.
func signed(r Source) (Format, error) {
	head := make([]byte, min(SectorSize, r.Size()))
	if err := readFull(r, head, 0); err != nil {
		return "", err
	}
	tail := make([]byte, len(head))
	if err := readFull(r, tail, r.Size()-int64(len(tail))); err != nil {
		return "", err
	}
	for _, s := range signatures() {
		if s.offset >= 0 && bytes.HasPrefix(head[min(s.offset, int64(len(head))):], []byte(s.magic)) {
			return s.format, nil
		}
	}
	for _, s := range signatures() {
		if s.offset < 0 && len(tail) == SectorSize && strings.HasPrefix(string(tail), s.magic) {
			return s.format, nil
		}
	}
	return Raw, nil
}
