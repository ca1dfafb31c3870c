package scrub

import (
	"bytes"
	"errors"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// A length that lies, with the id of the bytes that there are, is damage.
func TestChunkThatEndsBehindItsFrame(t *testing.T) {
	plain := bytes.Repeat([]byte("frame"), 20)
	stored, h, err := frame.Encode(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &pack.Frame{ID: frame.ID(stored), Stored: h.Stored, Plain: h.Plain, Chunks: []chunk.Ref{{ID: chunk.Hash(plain), Length: h.Plain + 1}}}
	if err := wholeFrame(stored, f, nil, &chunk.Hasher{}); !errors.Is(err, repository.ErrDamaged) {
		t.Errorf("got %v, want damaged", err)
	}
	f.Chunks[0].Length--
	if err := wholeFrame(stored, f, nil, &chunk.Hasher{}); err != nil {
		t.Error(err)
	}
}
