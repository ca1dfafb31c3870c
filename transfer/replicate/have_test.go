package replicate

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"loggia/transfer/manifest"
	"loggia/transfer/serve/servetest"
)

// The bytes of docs/formats/pieces.md. They are never changed.
func TestGoldenHave(t *testing.T) {
	h := Have{Mark: Mark{Epoch: 0x0102, Seq: 3}, Spans: []SpanPieces{{0, 1}, {7, 0x80000001}}}
	want := "4c67487601000000" + "0201000000000000" + "0300000000000000" +
		"0000000000000000" + "01000000" + "0700000000000000" + "01000080"
	if got := hex.EncodeToString(h.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzDecodeHave(f *testing.F) {
	f.Add(Have{}.Encode())
	f.Add(Have{Mark: Mark{1, 2}, Spans: []SpanPieces{{0, 1}, {3, 0xffffffff}}}.Encode())
	f.Add(Have{Spans: []SpanPieces{{3, 1}, {3, 1}}}.Encode())
	f.Add(Have{Spans: []SpanPieces{{-1, 1}}}.Encode())
	f.Add(append(Have{}.Encode(), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := DecodeHave(b)
		if err != nil {
			if !errors.Is(err, ErrHave) {
				t.Fatalf("error %v is not ErrHave", err)
			}
			return
		}
		if again := h.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("got %x of %x", again, b)
		}
	})
}

func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShare(9)
		if h := s.Since(t.Context(), Mark{}, time.Hour); !reflect.DeepEqual(h, Have{Mark: Mark{9, 0}}) {
			t.Errorf("at first %+v", h) // at once: the asker learns the epoch
		}
		began := time.Now()
		if h := s.Since(t.Context(), Mark{9, 0}, time.Second); len(h.Spans) > 0 || time.Since(began) != time.Second {
			t.Errorf("nothing came, and it took %s: %+v", time.Since(began), h)
		}
		s.add(5, 2)
		s.add(1, 1)
		s.add(5, 1)
		s.add(5, 1)
		all := Have{Mark: Mark{9, 3}, Spans: []SpanPieces{{1, 1}, {5, 3}}}
		for _, m := range []Mark{{}, {9, 0}, {8, 2}} {
			if h := s.Since(t.Context(), m, time.Hour); !reflect.DeepEqual(h, all) {
				t.Errorf("since %v: %+v, want %+v", m, h, all)
			}
		}
		time.AfterFunc(time.Second, func() { s.add(7, 1) })
		if h := s.Since(t.Context(), Mark{9, 3}, time.Hour); !reflect.DeepEqual(h, Have{Mark{9, 4}, []SpanPieces{{7, 1}}}) {
			t.Errorf("later %+v", h)
		}
		// An asker that says it has heard more than there was is not believed.
		if h := s.Since(t.Context(), Mark{9, 99}, time.Millisecond); len(h.Spans) > 0 || h.Seq != 4 {
			t.Errorf("from the future %+v", h)
		}
	})
}

// Every frame is in one piece, in order, and a piece ends where its bytes do.
func TestGroups(t *testing.T) {
	r := servetest.Random(t)
	for range 100 {
		leaf := &manifest.TableLeaf{}
		for range 1 + r.IntN(300) {
			leaf.Frames = append(leaf.Frames, manifest.Frame{Stored: 1 + r.Uint32N(3<<20)})
		}
		var at int64
		var n int
		for g, frames := range groups(leaf) {
			for _, f := range frames {
				if want := min(at/pieceStored, maxGroups-1); int64(g) != want {
					t.Fatalf("frame %d at %d is in group %d, want %d", n, at, g, want)
				}
				if f.Stored != leaf.Frames[n].Stored {
					t.Fatalf("frame %d is not in order", n)
				}
				at += int64(f.Stored)
				n++
			}
		}
		if n != len(leaf.Frames) {
			t.Fatalf("%d of %d frames are in pieces", n, len(leaf.Frames))
		}
	}
}

// The designation deals pieces out evenly, and a region that leaves changes only its own.
func TestWeightIsEven(t *testing.T) {
	regions := []string{"eu-west-1", "eu-west-2", "eu-west-3", "eu-west-4"}
	root := [32]byte{1: byte(rand.IntN(256))}
	choose := func(p Piece, of []string) (best string) {
		for _, r := range of {
			if best == "" || weight(r, root, p) > weight(best, root, p) {
				best = r
			}
		}
		return best
	}
	count := map[string]int{}
	const spans = 500
	for s := range int64(spans) {
		for g := range uint8(8) {
			p := Piece{s, g}
			all := choose(p, regions)
			count[all]++
			if without := choose(p, regions[1:]); all != regions[0] && without != all {
				t.Fatalf("piece %v went from %s to %s, which did not leave", p, all, without)
			}
		}
	}
	for r, n := range count {
		if share := float64(n) / (spans * 8) * float64(len(regions)); share < 0.9 || share > 1.1 {
			t.Errorf("%s has %.2f of its share", r, share)
		}
	}
}
