package intake

import (
	"encoding/binary"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// A checkpoint lists spans that were finished since the one before it. It is written after the packs
// and the segment that hold what it names. Its bytes, integers little-endian:
//
//	magic "LgUc", version 1 (1 byte), 3 zero bytes
//	disk length (8), number of spans (4), chunker: algorithm, min, average, max, hole block (4 each), span (8)
//	per span: number (8), leaf: id (32), bytes (8), count (8), table leaf: id (32), bytes (8), count (8)
//	SHA-256 of everything before it (32)
const (
	checkpointMagic   = "LgUc"
	checkpointVersion = 1
	checkpointHeader  = 8 + 8 + 4 + 20 + 8
	checkpointSpan    = 8 + 2*(digest.Size+16)

	// maxCheckpointSpans keeps a checkpoint below 8 MiB; more spans make more checkpoints.
	maxCheckpointSpans = 1 << 16
)

// finished is a span whose chunks, leaf and table leaf are in the repository.
type finished struct {
	leaf  manifest.SpanRef
	table manifest.SpanRef
}

// checkpoint is one list of finished spans of a disk.
type checkpoint struct {
	params chunk.Params
	length int64
	spans  []finished
}

func (c *checkpoint) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, checkpointHeader+len(c.spans)*checkpointSpan+digest.Size)
	b = append(b, checkpointMagic...)
	b = append(b, checkpointVersion, 0, 0, 0)
	b = le.AppendUint64(b, uint64(c.length))
	b = le.AppendUint32(b, uint32(len(c.spans)))
	for _, v := range []uint32{c.params.Algorithm, c.params.Min, c.params.Average, c.params.Max, c.params.HoleBlock} {
		b = le.AppendUint32(b, v)
	}
	b = le.AppendUint64(b, c.params.Span)
	for _, s := range c.spans {
		b = le.AppendUint64(b, uint64(s.leaf.Span))
		for _, ref := range []manifest.SpanRef{s.leaf, s.table} {
			b = append(b, ref.ID[:]...)
			b = le.AppendUint64(b, uint64(ref.Bytes))
			b = le.AppendUint64(b, uint64(ref.Count))
		}
	}
	sum := digest.Of(b)
	return append(b, sum[:]...)
}

// decodeCheckpoint reads what encode writes and refuses all else with ErrCheckpoint.
func decodeCheckpoint(b []byte) (*checkpoint, error) {
	le := binary.LittleEndian
	if len(b) < checkpointHeader+digest.Size || string(b[:4]) != checkpointMagic {
		return nil, fmt.Errorf("%w: no checkpoint in %d bytes", ErrCheckpoint, len(b))
	}
	if b[4] != checkpointVersion || b[5]|b[6]|b[7] != 0 {
		return nil, fmt.Errorf("%w: version %d", ErrCheckpoint, b[4])
	}
	n := le.Uint32(b[16:])
	if n > maxCheckpointSpans || len(b) != checkpointHeader+int(n)*checkpointSpan+digest.Size {
		return nil, fmt.Errorf("%w: %d spans in %d bytes", ErrCheckpoint, n, len(b))
	}
	body := b[:len(b)-digest.Size]
	if digest.Of(body) != digest.Digest(b[len(body):]) {
		return nil, fmt.Errorf("%w: checksum", ErrCheckpoint)
	}
	p := body[20:]
	c := &checkpoint{
		length: int64(le.Uint64(b[8:])),
		params: chunk.Params{Algorithm: le.Uint32(p), Min: le.Uint32(p[4:]), Average: le.Uint32(p[8:]),
			Max: le.Uint32(p[12:]), HoleBlock: le.Uint32(p[16:]), Span: le.Uint64(p[20:])},
		spans: make([]finished, n),
	}
	for i := range c.spans {
		e := body[checkpointHeader+i*checkpointSpan:]
		span := int64(le.Uint64(e))
		c.spans[i] = finished{leaf: spanRef(span, e[8:]), table: spanRef(span, e[8+digest.Size+16:])}
	}
	return c, nil
}

func spanRef(span int64, b []byte) manifest.SpanRef {
	le := binary.LittleEndian
	return manifest.SpanRef{
		Span: span,
		ID:   chunk.ID(b[:digest.Size]),
		Sums: manifest.Sums{Bytes: int64(le.Uint64(b[digest.Size:])), Count: int64(le.Uint64(b[digest.Size+8:]))},
	}
}
