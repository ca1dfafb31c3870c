package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"loggia/transfer/codec"
	"loggia/transfer/codec/xz"
)

// Kind is a way to compress a file.
type Kind string

// The kinds. None is a file that is not compressed, as far as its begin tells.
const (
	None Kind = ""
	XZ   Kind = "xz"
	Gzip Kind = "gzip"
	Zstd Kind = "zstd"
)

// HeadSize is how many bytes of a file's begin Detect wants to see.
const HeadSize = 18

// Bounds of what a file may ask for, in bytes: what the tools write at their highest ordinary level, and
// for zstd what its tool undoes without being told to (--long=27).
const (
	maxDict   = 64 << 20
	maxWindow = 128 << 20
)

// Detect finds the kind by the signature at a file's begin, never by its name.
func Detect(head []byte) Kind {
	switch {
	case bytes.HasPrefix(head, []byte(xz.Magic)):
		return XZ
	case len(head) >= 10 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8 && head[3]&0xe0 == 0: // deflate, no reserved flag
		return Gzip
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return Zstd
	case len(head) >= 12 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18": // a skippable frame, as parallel tools write
		return Zstd
	}
	return None
}

// Reader unpacks a file: all members, streams or frames that it holds, to its very end. What follows
// them and is none is an error. Errors are codec.ErrCorrupt, codec.ErrMemory, codec.ErrFeature,
// codec.ErrTruncated, or wrap one of the file's reader. It is for one goroutine; Close gives its memory back and leaves the file open.
type Reader struct {
	r     io.Reader
	from  *source
	close func()
}

// NewReader unpacks r, which is of that kind, from its begin.
func NewReader(kind Kind, r io.Reader) (*Reader, error) {
	src := &source{r: r}
	out := &Reader{from: src, close: func() {}}
	var err error
	switch kind {
	case XZ:
		out.r = xz.NewReader(src, maxDict)
	case Gzip:
		out.r, err = gzip.NewReader(src)
	case Zstd:
		var dec *zstd.Decoder
		dec, err = zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			out.r, out.close = dec, dec.Close
		}
	default:
		return nil, fmt.Errorf("unpack: unknown kind %q", kind)
	}
	if err != nil {
		return nil, out.refuse(err)
	}
	return out, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = r.refuse(err)
	}
	return n, err
}

// Packed is the number of bytes of the file that have been read so far.
func (r *Reader) Packed() int64 { return r.from.n }

// Close gives the memory back.
func (r *Reader) Close() error {
	r.close()
	return nil
}

// refuse gives an error its kind. One of the file's reader goes before all that followed from it.
func (r *Reader) refuse(err error) error {
	switch {
	case r.from.err != nil:
		return fmt.Errorf("read compressed file: %w", r.from.err) // wrapped: it may be an ErrUnexpectedEOF, too
	case errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrMemory) || errors.Is(err, codec.ErrFeature):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF: // EOF: in the first header
		return codec.ErrTruncated
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("%w: zstd: window must be at most %d bytes", codec.ErrMemory, maxWindow)
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return fmt.Errorf("%w: zstd: a dictionary", codec.ErrFeature)
	}
	return fmt.Errorf("%w: %w", codec.ErrCorrupt, err)
}

// source counts the bytes that are read and keeps the first error that is no end.
type source struct {
	r   io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}
