package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// sample writes one record of every kind but error.
func sample(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	a, c := digest.Of([]byte("a")), digest.Of([]byte("c"))
	for _, err := range []error{
		w.Frame([]chunk.Ref{{ID: a, Length: 1}, {ID: c, Length: 70000}}, []byte("stored")),
		w.Frame(nil, []byte("x")),
		w.Node([]byte("node")),
		w.Leaf(7, []byte("leaf")),
		w.Chunks([]chunk.ID{a, c}),
		w.Missing([]chunk.ID{c}),
		w.Spans([]manifest.SpanRef{{Span: 3, ID: a, Sums: manifest.Sums{Bytes: 9, Count: 2}}}),
		w.Store(Store{Origin: "https://s3.a.example:9000", CA: "-----BEGIN", Life: 5 * time.Minute}),
		w.Range(Range{Path: "/bucket/key?signature", Offset: 1 << 40, Frames: []RangeFrame{{Stored: 9, Refs: []chunk.Ref{{ID: a, Length: 1}}}, {Stored: 8}}}),
		w.End(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if w.Size() != int64(b.Len()) {
		t.Fatalf("Size is %d, wrote %d", w.Size(), b.Len())
	}
	return b.Bytes()
}

// all reads a whole stream and copies its records.
func all(r *Reader) ([]Record, error) {
	var out []Record
	for {
		rec, err := r.Next()
		if err != nil {
			return out, err
		}
		rec.Refs = append([]chunk.Ref(nil), rec.Refs...)
		rec.Data = append([]byte(nil), rec.Data...)
		rec.IDs = append([]chunk.ID(nil), rec.IDs...)
		rec.Spans = append([]manifest.SpanRef(nil), rec.Spans...)
		// Store and Range are the caller's.
		out = append(out, rec)
	}
}

func TestGolden(t *testing.T) {
	const want = "4c675772010000000100000052000000" + "02000000" // header, frame with two chunks
	got := sample(t)
	if h := hex.EncodeToString(got[:20]); h != want {
		t.Errorf("stream begins\n got %s\nwant %s", h, want)
	}
	const end = "08000000100000000900000000000000" + "7b01000000000000"
	if h := hex.EncodeToString(got[len(got)-24:]); h != end {
		t.Errorf("stream ends\n got %s\nwant %s", h, end)
	}
	sum := sha256.Sum256(got)
	const whole = "b3b17149973a64c4da231164be90bb2000a854b6c33a9b2c0fef818a19c42520"
	if h := hex.EncodeToString(sum[:]); h != whole {
		t.Errorf("SHA-256 of the sample is %s, want %s", h, whole)
	}
}

func TestRoundTrip(t *testing.T) {
	a, c := digest.Of([]byte("a")), digest.Of([]byte("c"))
	want := []Record{
		{Kind: KindFrame, Refs: []chunk.Ref{{ID: a, Length: 1}, {ID: c, Length: 70000}}, Data: []byte("stored")},
		{Kind: KindFrame, Data: []byte("x")},
		{Kind: KindNode, Data: []byte("node")},
		{Kind: KindLeaf, Span: 7, Data: []byte("leaf")},
		{Kind: KindChunks, IDs: []chunk.ID{a, c}},
		{Kind: KindMissing, IDs: []chunk.ID{c}},
		{Kind: KindSpans, Spans: []manifest.SpanRef{{Span: 3, ID: a, Sums: manifest.Sums{Bytes: 9, Count: 2}}}},
		{Kind: KindStore, Store: Store{Origin: "https://s3.a.example:9000", CA: "-----BEGIN", Life: 5 * time.Minute}},
		{Kind: KindRange, Range: Range{Path: "/bucket/key?signature", Offset: 1 << 40, Frames: []RangeFrame{{Stored: 9, Refs: []chunk.Ref{{ID: a, Length: 1}}}, {Stored: 8}}}},
	}
	// Two streams behind each other: the first reader must leave the second alone.
	both := bytes.NewReader(append(sample(t), sample(t)...))
	for range 2 {
		got, err := all(NewReader(iotest.OneByteReader(both), make([]byte, MinBuffer)))
		if err != io.EOF {
			t.Fatalf("got %v, want io.EOF", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	}
	if both.Len() != 0 {
		t.Errorf("%d bytes are left", both.Len())
	}
}

func TestManyIDs(t *testing.T) {
	ids := make([]chunk.ID, 2*MaxIDs+3)
	for i := range ids {
		ids[i] = digest.Of([]byte{byte(i), byte(i >> 8), 1})
	}
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := errors.Join(w.Chunks(ids), w.End()); err != nil {
		t.Fatal(err)
	}
	recs, err := all(NewReader(&b, make([]byte, MinBuffer)))
	if err != io.EOF {
		t.Fatal(err)
	}
	var got []chunk.ID
	for _, r := range recs {
		got = append(got, r.IDs...)
	}
	if d := cmp.Diff(ids, got); d != "" || len(recs) != 3 {
		t.Errorf("%d records\n%s", len(recs), d)
	}
}

func TestEveryTruncationIsTold(t *testing.T) {
	whole := sample(t)
	for n := range len(whole) {
		if _, err := all(NewReader(bytes.NewReader(whole[:n]), make([]byte, MinBuffer))); !errors.Is(err, ErrTruncated) {
			t.Fatalf("first %d of %d bytes: got %v, want %v", n, len(whole), err, ErrTruncated)
		}
	}
}

func TestErrorEndsStream(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := errors.Join(w.Node([]byte("n")), w.Error("gone", strings.Repeat("x", MaxText+9))); err != nil {
		t.Fatal(err)
	}
	if err := w.Node([]byte("n")); !errors.Is(err, ErrEnded) {
		t.Errorf("write behind the end: got %v", err)
	}
	r := NewReader(&b, make([]byte, MinBuffer))
	_, err := all(r)
	var remote *RemoteError
	if !errors.As(err, &remote) || remote.Code != "gone" || len(remote.Text) != MaxText {
		t.Fatalf("got %v", err)
	}
	if _, again := r.Next(); again != err {
		t.Errorf("the error is not final: %v", again)
	}
}

func TestRefusals(t *testing.T) {
	head := "LgWr\x01\x00\x00\x00"
	id := strings.Repeat("i", 32)
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"no magic":                       {"LgWx\x01\x00\x00\x00", ErrCorrupt},
		"newer version":                  {"LgWr\x02\x00\x00\x00", ErrVersion},
		"reserved in header":             {"LgWr\x01\x01\x00\x00", ErrCorrupt},
		"unknown kind":                   {head + "\x0b\x00\x00\x00\x01\x00\x00\x00x", ErrCorrupt},
		"kind zero":                      {head + "\x00\x00\x00\x00\x01\x00\x00\x00x", ErrCorrupt},
		"reserved in record":             {head + "\x02\x01\x00\x00\x01\x00\x00\x00x", ErrCorrupt},
		"huge record":                    {head + "\x01\x00\x00\x00\xff\xff\xff\xff", ErrLimit},
		"above the buffer":               {head + "\x01\x00\x00\x00\x00\x00\x40\x00", ErrLimit},
		"empty node":                     {head + "\x02\x00\x00\x00\x00\x00\x00\x00", ErrCorrupt},
		"half an id":                     {head + "\x04\x00\x00\x00\x10\x00\x00\x00" + id[:16], ErrCorrupt},
		"frame without bytes":            {head + "\x01\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00" + id + "\x01\x00\x00\x00", ErrCorrupt},
		"frame of too many":              {head + "\x01\x00\x00\x00\x05\x00\x00\x00\x01\x10\x00\x00x", ErrLimit},
		"negative span":                  {head + "\x03\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80x", ErrCorrupt},
		"store without origin":           {head + "\x09\x00\x00\x00\x07\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00x", ErrCorrupt},
		"store of half an origin":        {head + "\x09\x00\x00\x00\x07\x00\x00\x00" + "\x00\x00\x00\x00\x02\x00x", ErrCorrupt},
		"range without path":             {head + "\x0a\x00\x00\x00\x13\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00x", ErrCorrupt},
		"range before the beginning":     {head + "\x0a\x00\x00\x00\x13\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00x" + "\x01\x00\x00\x00\x00\x00\x00\x00", ErrCorrupt},
		"range beyond the end":           {head + "\x0a\x00\x00\x00\x13\x00\x00\x00" + "\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x00x" + "\x01\x00\x00\x00\x00\x00\x00\x00", ErrCorrupt},
		"range of no bytes":              {head + "\x0a\x00\x00\x00\x13\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00x" + "\x00\x00\x00\x00\x00\x00\x00\x00", ErrCorrupt},
		"range of half a frame":          {head + "\x0a\x00\x00\x00\x14\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00x" + "\x01\x00\x00\x00\x00\x00\x00\x00x", ErrCorrupt},
		"range without a frame's chunks": {head + "\x0a\x00\x00\x00\x13\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00x" + "\x01\x00\x00\x00\x01\x00\x00\x00", ErrCorrupt},
		"error without code":             {head + "\x07\x00\x00\x00\x02\x00\x00\x00\x00x", ErrCorrupt},
		"end counts":                     {head + "\x08\x00\x00\x00\x10\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00", ErrCorrupt},
	} {
		if _, err := all(NewReader(strings.NewReader(c.in), make([]byte, MinBuffer))); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	w := NewWriter(io.Discard)
	for name, err := range map[string]error{
		"empty frame":            w.Frame(nil, nil),
		"large frame":            w.Frame(nil, make([]byte, MaxRecord)),
		"many chunks":            w.Frame(make([]chunk.Ref, MaxRefs+1), []byte("x")),
		"large node":             w.Node(make([]byte, MaxNode+1)),
		"span":                   w.Leaf(-1, []byte("x")),
		"code":                   w.Error("", "x"),
		"no origin":              w.Store(Store{CA: "x"}),
		"long origin":            w.Store(Store{Origin: strings.Repeat("x", MaxOrigin+1)}),
		"long CA":                w.Store(Store{Origin: "x", CA: strings.Repeat("x", MaxCA+1)}),
		"life":                   w.Store(Store{Origin: "x", Life: -time.Second}),
		"no path":                w.Range(Range{Frames: []RangeFrame{{Stored: 1}}}),
		"long path":              w.Range(Range{Path: strings.Repeat("x", MaxPath+1), Frames: []RangeFrame{{Stored: 1}}}),
		"no frames":              w.Range(Range{Path: "x"}),
		"offset":                 w.Range(Range{Path: "x", Offset: -1, Frames: []RangeFrame{{Stored: 1}}}),
		"far offset":             w.Range(Range{Path: "x", Offset: math.MaxInt64, Frames: []RangeFrame{{Stored: 1}}}),
		"no bytes":               w.Range(Range{Path: "x", Frames: []RangeFrame{{Stored: 1}, {}}}),
		"many chunks in a range": w.Range(Range{Path: "x", Frames: []RangeFrame{{1, make([]chunk.Ref, MaxRefs+1)}}}),
		"long range":             w.Range(Range{Path: "x", Frames: slices.Repeat([]RangeFrame{{1, make([]chunk.Ref, MaxRefs)}}, 40)}),
	} {
		if !errors.Is(err, ErrLimit) {
			t.Errorf("%s: got %v, want %v", name, err, ErrLimit)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte("LgWr\x01\x00\x00\x00\x07\x00\x00\x00\x03\x00\x00\x00\x01ab"))
	buf := make([]byte, MinBuffer)
	f.Fuzz(func(t *testing.T, in []byte) {
		recs, err := all(NewReader(bytes.NewReader(in), buf))
		if err != io.EOF {
			return
		}
		// A whole stream written again is the same stream, where lists were not split.
		var out bytes.Buffer
		w := NewWriter(&out)
		for _, r := range recs {
			if err := rewrite(w, r); err != nil {
				t.Fatalf("write a %s that was read: %v", r.Kind, err)
			}
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(in, out.Bytes()) {
			t.Fatalf("read %x\nwrote %x", in, out.Bytes())
		}
	})
}

func rewrite(w *Writer, r Record) error {
	switch r.Kind {
	case KindFrame:
		return w.Frame(r.Refs, r.Data)
	case KindNode:
		return w.Node(r.Data)
	case KindLeaf:
		return w.Leaf(r.Span, r.Data)
	case KindChunks:
		return w.Chunks(r.IDs)
	case KindMissing:
		return w.Missing(r.IDs)
	case KindStore:
		return w.Store(r.Store)
	case KindRange:
		return w.Range(r.Range)
	default:
		return w.Spans(r.Spans)
	}
}
