package codec

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// MaxPlain bounds what one call compresses or unpacks to, in bytes.
const MaxPlain = 4 << 20

// Encoder compresses with zstd at its fastest level, one job on one core each. It holds a fixed
// number of workers with their tables, made when first needed, and no input. It is safe for many
// goroutines: they wait for a worker.
//
// There is no probe for what does not compress: this level finds random bytes out at 16 GB/s, fifty
// times as fast as it compresses text, and a probe of samples would miss the text between pictures.
type Encoder struct{ enc *zstd.Encoder }

// NewEncoder makes an Encoder with so many workers for inputs of up to longest bytes each: the
// window is sized to it, so that all of an input can refer to all of it.
func NewEncoder(workers, longest int) (*Encoder, error) {
	if workers < 1 || longest < 1 || longest > MaxPlain {
		return nil, fmt.Errorf("encoder of %d workers for %d bytes", workers, longest)
	}
	window := zstd.MinWindowSize
	for window < longest {
		window <<= 1
	}
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(workers),
		zstd.WithWindowSize(window),
		zstd.WithEncoderCRC(false), // the frame's id covers every byte
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make zstd encoder: %w", err)
	}
	return &Encoder{enc: enc}, nil
}

// Compress appends the zstd form of src to dst and returns true, or returns dst as it was and
// false where less than a sixteenth would be gained: then src is better stored plain. dst does
// not grow where its capacity is Bound(len(src)) more than its length.
func (e *Encoder) Compress(dst, src []byte) ([]byte, bool) {
	if len(src) == 0 || len(src) > MaxPlain {
		return dst, false
	}
	out := e.enc.EncodeAll(src, dst)
	if len(out)-len(dst) > len(src)-len(src)/16 {
		return dst, false
	}
	return out, true
}

// Bound is the most bytes that Compress appends for n bytes on the way to its answer.
func Bound(n int) int { return n + n>>8 + 64 }

// Close gives the workers' memory back. No call may be running or follow.
func (e *Encoder) Close() error { return e.enc.Close() }
