package pull

import (
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/serve/servetest"
)

// A seed that ends early holds no chunk that is longer, whatever its id says.
func TestStretchThatIsCutOff(t *testing.T) {
	seed := servetest.Disk("what there is of the seed")
	p := &puller{o: Options{Seed: seed}, out: &output{}}
	l := &local{gatherer: newGatherer(p), buf: make([]byte, stretchSize)}
	const at = 3 * blockSize
	l.stretch.add(ahead{Ref: chunk.Ref{ID: chunk.Hash(seed[:4]), Length: 4}, at: at}, 0)
	l.stretch.add(ahead{Ref: chunk.Ref{ID: chunk.Hash(seed[4:]), Length: 100}, at: at + 4}, 4)
	l.stretch.add(ahead{Ref: chunk.Ref{ID: chunk.Hash(nil), Length: 7}, at: at + 104}, 104)
	var missing []int64
	if err := l.takeStretch(func(_ chunk.Ref, at int64) { missing = append(missing, at) }); err != nil {
		t.Fatal(err)
	}
	if len(missing) != 2 || missing[0] != at+4 || missing[1] != at+104 || l.seeded.Load() != 4 {
		t.Errorf("missing at %v, %d bytes taken", missing, l.seeded.Load())
	}
}
