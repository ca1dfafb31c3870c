package diskformat

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	vmdkDescriptorMagic = "# Disk DescriptorFile"
	vmdkMaxDescriptor   = 64 << 10
	vmdkNoParent        = "ffffffff"
)

// readDescriptor reads the text in the file that says what kind of disk it is. Nothing that it names is opened.
func (h *vmdkHeader) readDescriptor(src Source) error {
	switch {
	case h.descriptorAt == 0 || h.descriptor == 0:
		return inVMDK("header", refuse(ErrExternal, "descriptor_offset 0: file is one extent of a disk of several: convert it with qemu-img"))
	case h.descriptor > vmdkMaxDescriptor:
		return inVMDK("header", refuse(ErrInconsistent, "descriptor_size %d bytes: must be at most %d", h.descriptor, vmdkMaxDescriptor))
	case h.descriptorAt > src.Size()-h.descriptor:
		return inVMDK("header", refuse(ErrTruncated, "descriptor_offset %d: %d bytes end beyond the file's %d", h.descriptorAt, h.descriptor, src.Size()))
	}
	b := make([]byte, h.descriptor)
	if err := readFull(src, b, h.descriptorAt); err != nil {
		return inVMDK("descriptor", err)
	}
	text, err := parseVMDKText(b)
	if err == nil {
		err = text.check(h)
	}
	if err != nil {
		return inVMDK("descriptor", err)
	}
	return nil
}

// checkVMDKText says why a file that is a descriptor alone is refused.
func checkVMDKText(src Source) error {
	b := make([]byte, min(vmdkMaxDescriptor, src.Size()))
	if err := readFull(src, b, 0); err != nil {
		return inVMDK("descriptor", err)
	}
	text, err := parseVMDKText(b)
	if err != nil {
		return inVMDK("descriptor", err)
	}
	return inVMDK("descriptor", refuse(ErrExternal, "createType %q: disk is in other files: convert it with qemu-img", text.fields["createtype"]))
}

// vmdkText is the part of a descriptor that says where the disk is.
type vmdkText struct {
	fields  map[string]string // by name in lower case
	extents []string
}

// parseVMDKText parses a descriptor up to its first NUL.
func parseVMDKText(b []byte) (vmdkText, error) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	t := vmdkText{fields: map[string]string{}}
	if !bytes.HasPrefix(b, []byte(vmdkDescriptorMagic)) {
		return t, refuse(ErrInconsistent, "first line %.40q: must be %q", b, vmdkDescriptorMagic)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case isVMDKExtent(line):
			t.extents = append(t.extents, line)
		case !ok:
			return t, refuse(ErrInconsistent, "line %.60q: must be NAME=VALUE or an extent", line)
		case t.fields[name] != "" && !strings.HasPrefix(name, "ddb."):
			return t, refuse(ErrInconsistent, "%.40s: must occur once", name)
		default:
			t.fields[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return t, nil
}

// isVMDKExtent says whether a line begins as extents do.
func isVMDKExtent(line string) bool {
	access, _, _ := strings.Cut(line, " ")
	return access == "RW" || access == "RDONLY" || access == "NOACCESS"
}

// check refuses every disk that is not in this one file.
func (t vmdkText) check(h *vmdkHeader) error {
	if v := t.fields["version"]; v != "1" && v != "2" && v != "3" {
		return refuse(ErrUnsupported, "version %.40q: must be 1 to 3", v)
	}
	if kind := t.fields["createtype"]; !strings.EqualFold(kind, "monolithicSparse") && !strings.EqualFold(kind, "streamOptimized") {
		return refuse(ErrExternal, "createType %.40q: must be monolithicSparse or streamOptimized: convert the disk with qemu-img", kind)
	}
	if v := t.fields["parentcid"]; !strings.EqualFold(v, vmdkNoParent) {
		return refuse(ErrExternal, "parentCID %.40q: must be %s: merge the disk into its parent", v, vmdkNoParent)
	}
	if v, ok := t.fields["parentfilenamehint"]; ok {
		return refuse(ErrExternal, "parentFileNameHint %.60q: must not be there: merge the disk into its parent", v)
	}
	if n := len(t.extents); n != 1 {
		return refuse(ErrExternal, "%d extents: must be 1", n)
	}
	return checkVMDKExtent(t.extents[0], h)
}

// checkVMDKExtent checks the one extent: access, sectors, kind, and a name that leads nowhere else.
func checkVMDKExtent(line string, h *vmdkHeader) error {
	head, rest, _ := strings.Cut(line, `"`)
	name, tail, ok := strings.Cut(rest, `"`)
	fields := strings.Fields(head)
	if !ok || len(fields) != 3 || strings.TrimSpace(tail) != "" {
		return refuse(ErrInconsistent, `extent %.80q: must be ACCESS SECTORS SPARSE "NAME"`, line)
	}
	switch {
	case fields[0] == "NOACCESS":
		return refuse(ErrUnsupported, "extent %.80q: access must be RW or RDONLY", line)
	case fields[2] != "SPARSE":
		return refuse(ErrExternal, "extent %.80q: type must be SPARSE: convert the disk with qemu-img", line)
	case strings.ContainsAny(name, `/\`):
		return refuse(ErrExternal, "extent %.80q: name must be of this file, without / and \\", line)
	}
	sectors, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || sectors > h.size/SectorSize || h.size/SectorSize-sectors >= h.grainSize/SectorSize {
		return refuse(ErrInconsistent, "extent %.80q: sectors must be the header's capacity %d", line, h.size/SectorSize)
	}
	return nil
}
