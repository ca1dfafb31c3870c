package repository

import (
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/pack"
)

// What two sources bring in turns comes to lie apart, once there is more than a pack of it and memory for two.
func TestSourcesFillPacksOfTheirOwn(t *testing.T) {
	for name, c := range map[string]struct {
		memory int64
		apart  bool
	}{
		"enough memory": {64 << 20, true},
		"one pack":      {dataBuffer + nodeBuffer, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.pool = buffer.New(c.memory)
			w := g.writer(t, 7, nil)
			frames := g.frames(t, 400, 4, 80_000) // some 40 MB
			source := map[digest.Digest]int{}
			var ids []chunk.ID
			for i, m := range frames {
				source[m.id] = i % 2
				ids = append(ids, m.refs[0].ID)
				if err := w.Add(t.Context(), pack.Data, Lane(i%2, uint64(i)), m.stored, m.id, uint32(len(m.plain)), m.refs); err != nil {
					t.Fatal(err)
				}
			}
			refs, err := w.Finish(t.Context(), digest.Of([]byte("root")), digest.Of([]byte("table")), 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			packs := map[digest.Digest]map[int]int{} // frames of each source
			err = open(t, g.repo, refs).LookupAll(ids, func(_ int, loc index.Location) error {
				if packs[loc.Pack] == nil {
					packs[loc.Pack] = map[int]int{}
				}
				packs[loc.Pack][source[loc.FrameID]]++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			mixed := 0
			for _, by := range packs {
				if len(by) > 1 {
					mixed++
				}
			}
			t.Logf("%d packs, %d of them mixed", len(packs), mixed)
			if len(packs) < 3 || c.apart && mixed > 1 || !c.apart && mixed < len(packs)-1 {
				t.Errorf("of %d packs %d hold frames of both sources", len(packs), mixed)
			}
		})
	}
}

// Neighbouring lanes of a source are in one pack, and its order there is that of the lanes.
func TestLane(t *testing.T) {
	for source := range 4 {
		for n := range uint64(100) {
			lane := Lane(source, n)
			if s := streamOf(pack.Data, lane); s.n != uint64(source%atOnce) {
				t.Errorf("source %d: lane %d is of stream %d", source, lane, s.n)
			}
			if n > 0 && lane <= Lane(source, n-1) {
				t.Errorf("source %d: lane %d comes before that of %d", source, lane, n-1)
			}
		}
	}
	if a, b := streamOf(pack.Nodes, 0), streamOf(pack.Nodes, laneBlock); a != b {
		t.Errorf("nodes are of streams %v and %v", a, b)
	}
}

// Hasten sends packs that are worth it without waiting for more, and leaves those that are not.
func TestHasten(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 7, nil)
	frames := g.frames(t, 400, 4, 80_000)
	var bytes, n int
	for bytes < worthSending/2 {
		frames[n].add(t, w, pack.Data)
		bytes += len(frames[n].stored)
		n++
	}
	sent := func() int { // or on its way
		w.mu.Lock()
		defer w.mu.Unlock()
		return int(w.stats.packs.Load()) + len(w.open) - len(w.filling)
	}
	if w.Hasten(); sent() != 0 {
		t.Errorf("%d packs sent for %d bytes", sent(), bytes)
	}
	for bytes < worthSending {
		frames[n].add(t, w, pack.Data)
		bytes += len(frames[n].stored)
		n++
	}
	if w.Hasten(); sent() != 1 {
		t.Errorf("%d packs sent for %d bytes, want 1", sent(), bytes)
	}
	frames[n].add(t, w, pack.Data)
	refs, err := w.Finish(t.Context(), digest.Of([]byte("root")), digest.Of([]byte("table")), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, open(t, g.repo, refs), frames[:n+1])
	w.Close()
	w.Hasten() // of one that is closed does nothing
}
