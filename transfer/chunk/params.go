package chunk

import (
	"errors"
	"fmt"
	"math/bits"
)

// FastCDC1 is the one cutting algorithm so far: docs/formats/chunking.md, version 1.
const FastCDC1 = 1

// MaxChunk bounds every chunk of every parameter set, in bytes: a chunk always fits a frame.
const MaxChunk = 4 << 20

// ErrParams is returned for parameters that no version of this program cuts with.
var ErrParams = errors.New("chunking parameters")

// Params says how guest bytes are cut. Equal bytes and equal Params give equal pieces, for ever:
// the manifest's root covers them. Lengths are in bytes.
type Params struct {
	Algorithm uint32 // FastCDC1
	Min       uint32 // shortest chunk, except the last before a hole or the end of a span
	Average   uint32 // where cutting becomes easy; the mean of the lengths is near it
	Max       uint32 // longest chunk
	HoleBlock uint32 // zeros count as a hole in aligned blocks of this length
	Span      uint64 // cutting begins anew at each multiple of this guest address
}

// Validate says whether this program can cut with p; the error is ErrParams.
func (p Params) Validate() error {
	switch {
	case p.Algorithm != FastCDC1:
		return fmt.Errorf("%w: algorithm %d is unknown", ErrParams, p.Algorithm)
	case p.Min < window || p.Min > p.Average || p.Average > p.Max || p.Max > MaxChunk:
		return fmt.Errorf("%w: want %d <= min %d <= average %d <= max %d <= %d", ErrParams, window, p.Min, p.Average, p.Max, MaxChunk)
	case p.HoleBlock < 4096 || p.HoleBlock > 1<<20 || bits.OnesCount32(p.HoleBlock) != 1:
		return fmt.Errorf("%w: hole block %d is no power of two from 4 KiB to 1 MiB", ErrParams, p.HoleBlock)
	case p.Span < 1<<20 || p.Span > 1<<30 || bits.OnesCount64(p.Span) != 1:
		return fmt.Errorf("%w: span %d is no power of two from 1 MiB to 1 GiB", ErrParams, p.Span)
	}
	return nil
}

// BufferSize is the least length of a Cutter's buffer for p, and a good one is a MiB or more above it.
func (p Params) BufferSize() int { return int(p.Max) + int(p.HoleBlock) }

// DefaultParams are what a publisher cuts with: chunks of 24 KiB on average, since the average of
// cutting comes on top of what Min skips. docs/formats/chunking.md has the measurements.
func DefaultParams() Params {
	return Params{Algorithm: FastCDC1, Min: 6 << 10, Average: 20 << 10, Max: 128 << 10, HoleBlock: 64 << 10, Span: 64 << 20}
}
