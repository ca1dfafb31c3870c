package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"loggia/internal/digest"
)

// flatBuffer is the length of the reads of the flat digest.
const flatBuffer = 1 << 20

// flat computes the SHA-256 of the whole disk. It is serial, so it runs beside the rest, reads for
// itself (from the page cache, mostly) and fills holes with zeros without reading them.
func flat(ctx context.Context, src Source, buf []byte) (digest.Digest, error) {
	h := sha256.New()
	size := src.Size()
	zeros := make([]byte, 64<<10)
	for at := int64(0); at < size; {
		start, end, err := src.NextData(at)
		if err != nil {
			return digest.Digest{}, fmt.Errorf("find data at %d: %w", at, err)
		}
		start, end = min(max(start, at), size), min(end, size)
		for ; at < start; at += min(int64(len(zeros)), start-at) {
			if err := ctx.Err(); err != nil {
				return digest.Digest{}, err
			}
			h.Write(zeros[:min(int64(len(zeros)), start-at)])
		}
		for at < end {
			if err := ctx.Err(); err != nil {
				return digest.Digest{}, err
			}
			b := buf[:min(int64(len(buf)), end-at)]
			if n, err := src.ReadAt(b, at); n < len(b) {
				if err == nil || errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return digest.Digest{}, fmt.Errorf("read %d bytes at %d: %w", len(b), at, err)
			}
			h.Write(b)
			at += int64(len(b))
		}
	}
	return digest.FromBytes(h.Sum(nil))
}
