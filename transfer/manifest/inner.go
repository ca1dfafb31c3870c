package manifest

import (
	"encoding/binary"

	"loggia/transfer/chunk"
)

// child is one child of an inner node.
type child struct {
	slot byte
	id   chunk.ID
	sums Sums
}

func encodeInner(magic string, level int, children []child) []byte {
	b := appendHeader(nil, magic)
	b = append(b, byte(level), byte(len(children)-1))
	for _, c := range children {
		b = append(b, c.slot)
		b = append(b, c.id[:]...)
		b = binary.AppendUvarint(b, uint64(c.sums.Bytes))
		b = binary.AppendUvarint(b, uint64(c.sums.Count))
	}
	return b
}

// decodeInner reads an inner node of the level that its place asks for, whose first span is base and
// whose sums are want.
func decodeInner(b []byte, magic string, level int, base, spans int64, want Sums) ([]child, error) {
	children, err := decodeChildren(b, magic, level)
	if err != nil {
		return nil, err
	}
	var total Sums
	for _, c := range children {
		total = total.add(c.sums)
	}
	if total != want {
		return nil, invalid("node's sums are %v, its parent says %v", total, want)
	}
	if last := base + int64(children[len(children)-1].slot)*width(level-1); last >= spans {
		return nil, invalid("child at span %d of %d", last, spans)
	}
	return children, nil
}

// decodeChildren checks what the node's own bytes can show.
func decodeChildren(b []byte, magic string, level int) ([]child, error) {
	d := decoder{b: b}
	d.header(magic)
	if got := int(d.byte()); d.err == nil && got != level {
		d.fail("node of level %d, want %d", got, level)
	}
	children := make([]child, int(d.byte())+1)
	for i := range children {
		c := &children[i]
		c.slot, c.id = d.byte(), d.digest()
		c.sums.Bytes = d.sum()
		c.sums.Count = d.sum()
		if i > 0 && c.slot <= children[i-1].slot {
			d.fail("slot %d after %d", c.slot, children[i-1].slot)
		}
		if c.id.IsZero() {
			d.fail("child without digest")
		}
	}
	return children, d.end()
}
