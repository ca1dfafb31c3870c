package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"loggia/diskformat"
	"loggia/transfer/codec"
	"loggia/transfer/codec/stream"
)

// Options say what is opened and how far it may go.
type Options struct {
	// Format of the image, also of one that is compressed. Auto takes the one that is detected.
	Format diskformat.Format
	// MaxSize of the guest's disk in bytes; 0 means diskformat.DefaultMaxSize.
	MaxSize int64
	// MaxFile bounds what a compressed file unpacks to, in bytes; 0 means what a disk of MaxSize may take.
	MaxFile int64
	// AsIs takes the file as it is, even if it begins like a compressed one.
	AsIs bool
	// Zstd unpacks qcow2 clusters of that compression type.
	Zstd diskformat.Decompressor
	// TempDir is where a compressed file is unpacked to, in a file that has no name; "" is the system's.
	TempDir string
	// Room is how many bytes that may take there; 0: as many as there are. Zeros take none.
	Room int64
	// Progress is told of unpacking, in bytes of the compressed file.
	Progress func(done, total int64)
}

// ErrNoRoom is returned where a file unpacks to more than Options.Room.
var ErrNoRoom = errors.New("no room to unpack")

// Open opens the image at path, a regular file or a block device. One that xz, gzip or zstd compressed
// is found by its signature and unpacked to a sparse file first, since nearly all formats are read at
// random. Errors are those of diskformat: what is wrong with the compressed file, too, is one of its
// kinds, or ErrNoRoom. ctx ends the unpacking.
func Open(ctx context.Context, path string, o Options) (diskformat.Disk, error) {
	src, err := diskformat.OpenSource(path)
	if err != nil {
		return nil, fmt.Errorf("open image %s: %w", path, err)
	}
	kind, err := detect(src, o)
	if err != nil || kind == stream.None {
		err = errors.Join(err, src.Close())
		if err != nil {
			return nil, fmt.Errorf("open image %s: %w", path, err)
		}
		return diskformat.Open(path, o.plain())
	}
	defer src.Close()
	d, err := unpack(ctx, src, kind, o)
	if err != nil {
		return nil, fmt.Errorf("open image %s: %w", path, err)
	}
	return d, nil
}

// New is Open for bytes that are no file. Close of the Disk leaves src open.
func New(ctx context.Context, src diskformat.Source, o Options) (diskformat.Disk, error) {
	kind, err := detect(src, o)
	if err != nil {
		return nil, err
	}
	if kind == stream.None {
		return diskformat.New(src, o.plain())
	}
	return unpack(ctx, src, kind, o)
}

func (o Options) plain() diskformat.Options {
	return diskformat.Options{Format: o.Format, MaxSize: o.MaxSize, Zstd: o.Zstd}
}

// detect says how a file is compressed.
func detect(src diskformat.Source, o Options) (stream.Kind, error) {
	if o.AsIs || src.Size() <= 0 {
		return stream.None, nil
	}
	head := make([]byte, min(stream.HeadSize, src.Size()))
	if _, err := src.ReadAt(head, 0); err != nil && err != io.EOF {
		return stream.None, fmt.Errorf("read image: %w", err)
	}
	return stream.Detect(head), nil
}

// unpack opens the image in a compressed file.
func unpack(ctx context.Context, src diskformat.Source, kind stream.Kind, o Options) (diskformat.Disk, error) {
	f, err := spool(ctx, src, kind, o)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", kind, refuse(err))
	}
	d, err := diskformat.FromFile(f, o.plain())
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", kind, err)
	}
	return d, nil
}

// refuse gives what is wrong with a compressed file the kind that an image would have.
func refuse(err error) error {
	for _, x := range []struct{ is, kind error }{
		{codec.ErrCorrupt, diskformat.ErrInconsistent}, {codec.ErrTruncated, diskformat.ErrTruncated},
		{codec.ErrMemory, diskformat.ErrUnsupported}, {codec.ErrFeature, diskformat.ErrUnsupported},
	} {
		if errors.Is(err, x.is) {
			return fmt.Errorf("%w: %w", err, x.kind)
		}
	}
	return err
}

// temporary makes a file that goes with the process.
func temporary(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".loggia-unpacked-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
