package manifest

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"loggia/transfer/chunk"
)

func TestLeafRules(t *testing.T) {
	p := testParams()
	block, span := p.HoleBlock, int64(p.Span)
	c := func(n uint64, length uint32) Entry { return Entry{ID: idOf(n), Length: length} }
	h := func(length uint32) Entry { return Entry{Length: length} }
	for name, test := range map[string]struct {
		length  int64
		entries []Entry
		good    bool
	}{
		"chunk and hole":        {2 * int64(block), []Entry{c(1, block), h(block)}, true},
		"hole at the end":       {int64(block) + 512, []Entry{c(1, block), h(512)}, true},
		"chunk twice":           {2 * int64(block), []Entry{c(1, block), c(1, block)}, true},
		"empty":                 {span, nil, false},
		"only a hole":           {int64(block), []Entry{h(block)}, false},
		"two holes":             {3 * int64(block), []Entry{c(1, block), h(block), h(block)}, false},
		"no length":             {int64(block), []Entry{c(1, block), c(2, 0)}, false},
		"too short":             {int64(block) + 1, []Entry{c(1, block)}, false},
		"too long":              {int64(block) - 1, []Entry{c(1, block)}, false},
		"chunk beyond greatest": {2 * int64(p.Max), []Entry{c(1, p.Max+1), c(2, p.Max-1)}, false},
		"hole off its block":    {2 * int64(block), []Entry{c(1, 512), h(block), c(2, block-512)}, false},
		"hole of half a block":  {2 * int64(block), []Entry{h(block / 2), c(2, block+block/2)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := &Leaf{Entries: test.entries}
			b, err := l.Encode(p, test.length)
			if (err == nil) != test.good || err != nil && !errors.Is(err, ErrInvalid) {
				t.Fatalf("Encode: %v, want good %v", err, test.good)
			}
			if err != nil {
				return
			}
			back, err := DecodeLeaf(b, p, test.length)
			if err != nil || !slices.Equal(back.Entries, l.Entries) {
				t.Fatalf("DecodeLeaf = %+v, %v", back, err)
			}
			if _, err := DecodeLeaf(append(b, 0), p, test.length); !errors.Is(err, ErrInvalid) {
				t.Errorf("a byte more: %v, want ErrInvalid", err)
			}
			if _, err := DecodeLeaf(b, p, test.length-1); !errors.Is(err, ErrInvalid) {
				t.Errorf("shorter span: %v, want ErrInvalid", err)
			}
		})
	}
}

func TestVersionAndVarintsAreStrict(t *testing.T) {
	p := testParams()
	l := &Leaf{}
	l.AddChunk(chunk.Ref{ID: idOf(1), Length: 100})
	b, err := l.Encode(p, 100)
	if err != nil {
		t.Fatal(err)
	}
	newer := slices.Clone(b)
	newer[4] = 2
	if _, err := DecodeLeaf(newer, p, 100); !errors.Is(err, ErrVersion) {
		t.Errorf("version 2: %v, want ErrVersion", err)
	}
	long := slices.Concat(b[:5], []byte{0x81, 0x00}, b[6:])
	if _, err := DecodeLeaf(long, p, 100); !errors.Is(err, ErrInvalid) {
		t.Errorf("a longer varint: %v, want ErrInvalid", err)
	}
}

// The golden bytes of format version 1. They never change.
func TestGoldenNodes(t *testing.T) {
	p := chunk.Params{Algorithm: 1, Min: 8 << 10, Average: 32 << 10, Max: 128 << 10, HoleBlock: 64 << 10, Span: 64 << 20}
	leaf := &Leaf{}
	leaf.AddChunk(chunk.Ref{ID: idOf(1), Length: 1 << 16})
	leaf.AddHole(1 << 16)
	leaf.AddChunk(chunk.Ref{ID: idOf(2), Length: 512})
	leaf.AddChunk(chunk.Ref{ID: idOf(1), Length: 1 << 16})
	length := leaf.Entries[0].Length*3 + 512
	b, err := leaf.Encode(p, int64(length))
	golden(t, "leaf", b, err, "4c674d6c0104"+"808008"+"818008"+"8008"+"808008"+
		hex.EncodeToString(id(1))+hex.EncodeToString(id(2))+hex.EncodeToString(id(1)))

	inner := encodeInner(magicInner, 2, []child{{0, idOf(3), Sums{300, 2}}, {255, idOf(4), Sums{1, 1}}})
	golden(t, "inner", inner, nil, "4c674d69010201"+"00"+hex.EncodeToString(id(3))+"ac0202"+"ff"+hex.EncodeToString(id(4))+"0101")

	root := Root{Params: p, Length: 1 << 30, Data: 12345, Chunks: 7, Top: idOf(5)}
	golden(t, "root", root.Encode(), nil, "4c674d7201010000"+"01000000"+"00200000"+"00800000"+"00000200"+"00000100"+"00000000"+
		"0000000400000000"+"0000004000000000"+"3930000000000000"+"0700000000000000"+hex.EncodeToString(id(5)))

	table := Table{Root: idOf(6), Stored: 999, Frames: 3, Top: idOf(7)}
	golden(t, "table", table.Encode(), nil, "4c67547201000000"+hex.EncodeToString(id(6))+"e703000000000000"+"0300000000000000"+hex.EncodeToString(id(7)))

	frames := &TableLeaf{Frames: []Frame{
		{ID: idOf(8), Stored: 300, Chunks: []chunk.Ref{{ID: idOf(9), Length: 5}, {ID: idOf(1), Length: 1 << 16}}},
		{ID: idOf(10), Stored: 1, Chunks: []chunk.Ref{{ID: idOf(2), Length: 512}}},
	}}
	b, _, err = frames.Encode(leaf)
	golden(t, "table leaf", b, err, "4c67546c0100"+"02"+hex.EncodeToString(id(8))+"ac0202"+"00"+hex.EncodeToString(id(9))+"05"+"01"+
		hex.EncodeToString(id(10))+"0101"+"02")
}

func id(n uint64) []byte {
	d := idOf(n)
	return d[:]
}

func golden(t *testing.T, name string, got []byte, err error, want string) {
	t.Helper()
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("%s:\n got %x, %v\nwant %s", name, got, err, want)
	}
}
