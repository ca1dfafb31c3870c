package replicate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Mark is how far somebody has heard what a member announces. The zero value has heard nothing.
type Mark struct {
	Epoch uint64 // of the member's claim
	Seq   uint64 // pieces announced under it
}

// SpanPieces are pieces of one span: bit i is group i.
type SpanPieces struct {
	Span int64
	Mask uint32
}

// Have is an announcement: pieces that came since the mark that was asked with. Where that was of another
// epoch it begins anew, and what was heard before is void.
type Have struct {
	Mark  // to ask with the next time
	Spans []SpanPieces
}

// The measures of the announcement's bytes (docs/formats/pieces.md).
const (
	haveVersion = 1
	haveHeader  = 4 + 4 + 8 + 8
	haveEntry   = 8 + 4
	maxHave     = 1 << 16 // spans in one announcement

	// MaxHaveSize bounds an announcement, in bytes.
	MaxHaveSize = haveHeader + maxHave*haveEntry
)

const haveMagic = "LgHv"

// ErrHave: bytes are no announcement.
var ErrHave = errors.New("not an announcement of pieces")

// Encode returns the bytes of docs/formats/pieces.md.
func (h Have) Encode() []byte {
	b := append(make([]byte, 0, haveHeader+len(h.Spans)*haveEntry), haveMagic...)
	b = append(b, haveVersion, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, h.Epoch)
	b = binary.LittleEndian.AppendUint64(b, h.Seq)
	for _, s := range h.Spans {
		b = binary.LittleEndian.AppendUint64(b, uint64(s.Span))
		b = binary.LittleEndian.AppendUint32(b, s.Mask)
	}
	return b
}

// DecodeHave reads what Encode writes and refuses all else with ErrHave.
func DecodeHave(b []byte) (Have, error) {
	if len(b) < haveHeader || string(b[:4]) != haveMagic || b[5]|b[6]|b[7] != 0 {
		return Have{}, fmt.Errorf("%w: no header", ErrHave)
	}
	if b[4] != haveVersion {
		return Have{}, fmt.Errorf("%w: version %d", ErrHave, b[4])
	}
	h := Have{Mark: Mark{Epoch: binary.LittleEndian.Uint64(b[8:]), Seq: binary.LittleEndian.Uint64(b[16:])}}
	b = b[haveHeader:]
	if len(b)%haveEntry != 0 || len(b)/haveEntry > maxHave {
		return Have{}, fmt.Errorf("%w: %d bytes of spans", ErrHave, len(b))
	}
	last := int64(-1)
	for ; len(b) > 0; b = b[haveEntry:] {
		s := SpanPieces{Span: int64(binary.LittleEndian.Uint64(b)), Mask: binary.LittleEndian.Uint32(b[8:])}
		if s.Span <= last || s.Mask == 0 {
			return Have{}, fmt.Errorf("%w: span %d after %d, mask %x", ErrHave, s.Span, last, s.Mask)
		}
		last = s.Span
		h.Spans = append(h.Spans, s)
	}
	return h, nil
}

// fold joins announced pieces by span, in order.
func fold(all []SpanPieces) []SpanPieces {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b SpanPieces) int {
		switch {
		case a.Span < b.Span:
			return -1
		case a.Span > b.Span:
			return 1
		}
		return 0
	})
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 && out[n-1].Span == s.Span {
			out[n-1].Mask |= s.Mask
			continue
		}
		out = append(out, s)
	}
	return out
}
