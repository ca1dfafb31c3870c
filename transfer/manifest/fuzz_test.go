package manifest

import (
	"bytes"
	"testing"

	"loggia/transfer/chunk"
)

func FuzzDecodeRoot(f *testing.F) {
	f.Add(Root{Params: chunk.DefaultParams(), Length: 1 << 30, Data: 5, Chunks: 1, Top: idOf(1)}.Encode())
	f.Add(Root{Params: chunk.DefaultParams(), Length: 512}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := DecodeRoot(b); err == nil && !bytes.Equal(r.Encode(), b) {
			t.Errorf("%x decodes to %+v, which is %x", b, r, r.Encode())
		}
	})
}

func FuzzDecodeLeaf(f *testing.F) {
	p := testParams()
	l := &Leaf{}
	l.AddChunk(chunk.Ref{ID: idOf(1), Length: p.HoleBlock})
	l.AddHole(p.HoleBlock)
	l.AddChunk(chunk.Ref{ID: idOf(2), Length: 512})
	length := int64(2*p.HoleBlock + 512)
	b, err := l.Encode(p, length)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, length)
	f.Fuzz(func(t *testing.T, b []byte, length int64) {
		length = min(max(length, 0), int64(p.Span))
		got, err := DecodeLeaf(b, p, length)
		if err != nil {
			return
		}
		if again, err := got.Encode(p, length); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x decodes to %+v, which is %x, %v", b, got, again, err)
		}
	})
}

func FuzzDecodeInner(f *testing.F) {
	f.Add(encodeInner(magicInner, 1, []child{{0, idOf(1), Sums{300, 2}}, {255, idOf(2), Sums{1, 1}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		children, err := decodeChildren(b, magicInner, 1)
		if err == nil && !bytes.Equal(encodeInner(magicInner, 1, children), b) {
			t.Errorf("%x decodes to %+v", b, children)
		}
	})
}

func FuzzDecodeTable(f *testing.F) {
	f.Add(Table{Root: idOf(1), Stored: 5, Frames: 1, Top: idOf(2)}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := DecodeTable(b); err == nil && !bytes.Equal(got.Encode(), b) {
			t.Errorf("%x decodes to %+v", b, got)
		}
	})
}

func FuzzDecodeTableLeaf(f *testing.F) {
	leaf := &Leaf{}
	leaf.AddChunk(chunk.Ref{ID: idOf(1), Length: 10})
	leaf.AddChunk(chunk.Ref{ID: idOf(2), Length: 20})
	refs := leaf.Distinct()
	tl := &TableLeaf{Frames: []Frame{{ID: idOf(3), Stored: 9, Chunks: []chunk.Ref{refs[0], {ID: idOf(4), Length: 6}, refs[1]}}}}
	node, _, err := tl.Encode(leaf)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(node)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, more, err := decodeTableLeaf(b, refs)
		if err != nil || len(more) > 0 {
			return
		}
		if err := got.checkCoded(leaf.numbered(), b); err != nil {
			return
		}
		if again, _, err := got.Encode(leaf); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x decodes to %+v, which is %x, %v", b, got, again, err)
		}
	})
}
