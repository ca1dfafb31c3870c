package codec

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// The reasons why nothing was unpacked.
var (
	// ErrOutput: the input unpacks to more bytes than the caller allows.
	ErrOutput = errors.New("unpacked output exceeds its limit")
	// ErrCorrupt: the input is not what a compressor writes.
	ErrCorrupt = errors.New("corrupt compressed data")
	// ErrTruncated: the input ends before its end.
	ErrTruncated = errors.New("compressed data is cut off")
	// ErrMemory: unpacking needs more memory than the caller allows.
	ErrMemory = errors.New("unpacking needs too much memory")
	// ErrFeature: the input may be right, but uses what is not undone here.
	ErrFeature = errors.New("unsupported feature of compressed data")
)

// Decoder unpacks zstd within the limits of its caller. It holds a fixed number of workers and is
// safe for many goroutines: they wait for a worker.
type Decoder struct{ dec *zstd.Decoder }

// NewDecoder makes a Decoder with so many workers.
func NewDecoder(workers int) (*Decoder, error) {
	if workers < 1 {
		return nil, fmt.Errorf("decoder of %d workers", workers)
	}
	dec, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(workers),
		zstd.WithDecoderMaxMemory(MaxPlain),
		zstd.WithDecoderMaxWindow(8<<20), // what RFC 8878 asks of a decoder; no memory is given to it
		zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("make zstd decoder: %w", err)
	}
	return &Decoder{dec: dec}, nil
}

// Decompress unpacks src into dst's spare capacity, which is the limit of the output (and so is
// MaxPlain), and returns dst with the output behind it. It never allocates for output; more of it is
// ErrOutput, anything else wrong is ErrCorrupt. On an error the result is nil and the spare
// capacity may have been written to.
func (d *Decoder) Decompress(dst, src []byte) ([]byte, error) {
	out, err := d.dec.DecodeAll(src, dst)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, fmt.Errorf("%w of %d bytes", ErrOutput, min(cap(dst)-len(dst), MaxPlain))
	default:
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
}

// Close gives the workers' memory back. No call may be running or follow.
func (d *Decoder) Close() { d.dec.Close() }
