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
		{VHDX, 0, vhdxFileMagic},
		{VMDK, 0, vmdkMagic},
		{VMDK, 0, vmdkESXMagic},
		{VMDK, 0, vmdkDescriptorMagic},
		{"vdi", 0x40, "\x7f\x10\xda\xbe"},
		{"qed", 0, "QED\x00"},
		{"parallels", 0, "WithoutFreeSpace"},
		{"parallels", 0, "WithouFreSpacExt"},
		{"dmg", -SectorSize, "koly"},
	}
}

// detect finds the format by signature and holds it against the declared one.
func detect(r Source, declared Format) (Format, error) {
	if declared != Auto && !readable(declared) {
		return "", fmt.Errorf("%w: declared %q: must be %s", ErrFormat, string(declared), formatNames)
	}
	found, err := signed(r)
	if err != nil {
		return "", err
	}
	switch {
	case declared != Auto && declared != found:
		return "", fmt.Errorf("%w: declared %s, detected %s", ErrFormat, declared, found)
	case readable(found):
		return found, nil
	}
	return "", fmt.Errorf("%w: detected %s: must be %s", ErrFormat, found, formatNames)
}

const formatNames = "raw, qcow2, vhd, vhdx or vmdk"

// readable says whether Open reads a format.
func readable(f Format) bool {
	return f == Raw || f == QCOW2 || f == VHD || f == VHDX || f == VMDK
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
