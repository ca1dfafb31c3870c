package diskformat

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// DefaultMaxSize is the largest disk that Open takes when Options name no other: 32 TiB, the
// largest managed disk (32,767 GiB) rounded up.
const DefaultMaxSize = 32 << 40

// Options say what the caller expects of an image.
type Options struct {
	// Format that the image must have. Auto takes the one that is detected.
	Format Format
	// MaxSize of the guest's disk in bytes; 0 means DefaultMaxSize.
	MaxSize int64
	// Zstd unpacks qcow2 clusters of that compression type. Without one such images are refused.
	Zstd Decompressor
}

// Decompressor unpacks one whole compressed frame at a time, for many goroutines at once.
type Decompressor interface {
	// Decompress appends the plain bytes of src to dst within dst's spare capacity and returns
	// the longer slice. A frame that holds more than the spare capacity is an error.
	Decompress(dst, src []byte) ([]byte, error)
}

// Source is the bytes of an image file. Its methods are called by many goroutines.
type Source interface {
	io.ReaderAt
	// Size is the length of the file in bytes.
	Size() int64
}

// Open opens the image at path, a regular file or a block device, and checks everything that its
// headers and tables say before the first guest byte is read. It writes nothing and opens no other
// file. Whoever must know that the file did not change meanwhile calls Watch first.
func Open(path string, o Options) (Disk, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("open image %s: %w", path, err)
	}
	d, err := New(f, o)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open image %s: %w", path, err)
	}
	return &fileDisk{Disk: d, file: f}, nil
}

// FromFile is Open for a file that is open already. The Disk owns it, also when there is an error.
func FromFile(f *os.File, o Options) (Disk, error) {
	opened, err := newFile(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	d, err := New(opened, o)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &fileDisk{Disk: d, file: opened}, nil
}

// New is Open for bytes that are no file. Close of the Disk leaves r open.
func New(r Source, o Options) (Disk, error) {
	if o.MaxSize == 0 {
		o.MaxSize = DefaultMaxSize
	}
	if r.Size() <= 0 {
		return nil, ErrEmpty
	}
	found, err := detect(r, o.Format)
	if err != nil {
		return nil, err
	}
	switch found {
	case QCOW2:
		return openQCOW2(r, o)
	case VHD:
		return openVHD(r, o)
	case VHDX:
		return openVHDX(r, o)
	case VMDK:
		return openVMDK(r, o)
	default:
		return openRaw(r, o)
	}
}

// checkSize holds the rules for the length of a guest's disk; what names the field that gave it.
func checkSize(what string, size int64, o Options) error {
	switch {
	case size == 0:
		return refuse(ErrEmpty, "%s 0", what)
	case size < 0 || size > o.MaxSize:
		return refuse(ErrTooLarge, "%s %d: must be at most %d", what, uint64(size), o.MaxSize)
	case size%SectorSize != 0:
		return refuse(ErrUnaligned, "%s %d", what, size)
	}
	return nil
}

// refuse makes an error that names the field and the rule, and is of one kind.
func refuse(kind error, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), kind)
}

// readFull fills p from the bytes of the image file at off. Bytes that are not there make
// ErrTruncated.
func readFull(src Source, p []byte, off int64) error {
	n, err := src.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return refuse(ErrTruncated, "file offset %d: %d of %d bytes are there", off, n, len(p))
	case err == nil:
		return fmt.Errorf("read image at %d: %w", off, io.ErrNoProgress)
	default:
		return fmt.Errorf("read image at %d: %w", off, err)
	}
}
