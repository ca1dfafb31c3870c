package diskformat

import (
	"errors"
	"io"
)

// SectorSize is the unit every disk's size is a multiple of, in bytes.
const SectorSize = 512

// Disk is the guest bytes of one virtual disk. ReadAt never reads beyond Size and is safe for use
// by many goroutines. What the image does not hold reads as zeros.
type Disk interface {
	io.ReaderAt
	// Size is the length of the guest's disk in bytes, a multiple of SectorSize.
	Size() int64
	// NextData returns the first run of bytes at or after off that may hold data: everything
	// between off and start reads as zeros and need not be read. At the end it returns
	// start = end = Size. It is a hint that saves reading: data may be zeros, zeros are never data
	// missed. A long run may be returned in parts, so that each call does bounded work.
	NextData(off int64) (start, end int64, err error)
	// Format says how the image is written down.
	Format() Format
	io.Closer
}

// Format names a way to write a disk down.
type Format string

// The formats. Auto asks Open to detect one.
const (
	Auto  Format = ""
	Raw   Format = "raw"
	QCOW2 Format = "qcow2"
	VHD   Format = "vhd"
	VHDX  Format = "vhdx"
	VMDK  Format = "vmdk"
)

// The reasons for refusing an image. Errors of Open and ReadAt wrap one of these or an I/O error.
var (
	ErrEmpty        = errors.New("image is empty")
	ErrNotRegular   = errors.New("image is not a regular file or block device")
	ErrUnaligned    = errors.New("disk size is not a multiple of 512 bytes")
	ErrFormat       = errors.New("image format")             // declared and detected format differ, or unknown
	ErrTruncated    = errors.New("image is truncated")       // bytes that the image points to are missing
	ErrInconsistent = errors.New("image is inconsistent")    // header or table fields that contradict each other
	ErrExternal     = errors.New("image names another file") // backing file, data file, parent
	ErrEncrypted    = errors.New("image is encrypted")
	ErrUnsupported  = errors.New("image uses an unsupported feature")
	ErrTooLarge     = errors.New("disk is too large")
	ErrChanged      = errors.New("image changed while it was read")
)
