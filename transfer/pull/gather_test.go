package pull

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/idset"
	"loggia/transfer/serve/servetest"
)

// newFile is an empty output of that many bytes.
func newFile(t *testing.T, size int64, uncached bool) *puller {
	t.Helper()
	out, err := openOutput(filepath.Join(t.TempDir(), "disk.raw"), chunk.ID{1}, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	if uncached {
		out.allowUncached()
	}
	p := &puller{out: out, done: idset.New(t.TempDir(), idsInMemory)}
	t.Cleanup(func() { p.done.Close() })
	return p
}

// behind makes small writes of the file aside.
func (p *puller) behind(t *testing.T) {
	t.Helper()
	p.aside = newBehind(p.out, p.done)
	t.Cleanup(func() {
		if err := p.aside.close(); err != nil {
			t.Error(err)
		}
	})
}

// settled waits for what was put aside.
func (p *puller) settled() error {
	if p.aside == nil {
		return nil
	}
	return p.aside.wait()
}

// TestGather writes pieces of every length and neighbourhood, each byte once, and some of them by the way of single chunks.
func TestGather(t *testing.T) {
	for name, how := range map[string]struct{ uncached, behind bool }{"past the cache": {true, true}, "nothing aside": {true, false}, "through the cache": {}} {
		t.Run(name, func(t *testing.T) {
			r := servetest.Random(t)
			want := make([]byte, 9<<20+777)
			for i := range want {
				want[i] = byte(r.Uint32())
			}
			p := newFile(t, int64(len(want)), how.uncached)
			if how.behind {
				p.behind(t)
			}
			g, other := newGatherer(p), newGatherer(p)
			for lo := 0; lo < len(want); {
				hi := min(len(want), lo+1+r.IntN(1<<uint(1+r.IntN(19))))
				var err error
				switch r.IntN(8) {
				case 0: // the neighbour comes from elsewhere
					err = other.write(want[lo:hi], int64(lo))
				case 1:
					err = p.out.write(want[lo:hi], int64(lo))
				case 2, 3, 4: // made where it is written from, as far as there is room
					var room []byte
					if room, err = g.room(hi - lo); err == nil {
						err = g.write(append(room, want[lo:hi]...), int64(lo))
					}
				default:
					err = g.write(want[lo:hi], int64(lo))
					g.wrote(chunk.Hash(want[lo:hi]), int64(lo))
				}
				if err != nil {
					t.Fatal(err)
				}
				lo = hi
			}
			for _, one := range []*gatherer{g, other} {
				if err := one.flush(); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.settled(); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			if _, err := p.out.file.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("the file is another one; %v", err)
			}
			if err := p.out.close(true); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestGatherTells says that a chunk is there only when it is.
func TestGatherTells(t *testing.T) {
	p := newFile(t, 1<<20, true)
	p.behind(t)
	g, data := newGatherer(p), bytes.Repeat([]byte("x"), 5000)
	id := chunk.Hash(data)
	if err := g.write(data, 100); err != nil {
		t.Fatal(err)
	}
	g.wrote(id, 100)
	if _, ok, err := p.done.Get(id); ok || err != nil {
		t.Fatalf("there before it was written: %v %v", ok, err)
	}
	if err := errors.Join(g.flush(), p.settled()); err != nil {
		t.Fatal(err)
	}
	at, ok, err := p.done.Get(id)
	if !ok || err != nil || at != 100 || !p.out.holds(make([]byte, len(data)), id, 100) {
		t.Fatalf("not there after it was written: %d %v %v", at, ok, err)
	}
	if err := p.out.close(true); err != nil {
		t.Fatal(err)
	}
}

// TestUncachedRefused: a file system that opens a file for such writes and then refuses them gets them through the cache.
func TestUncachedRefused(t *testing.T) {
	p := newFile(t, 1<<20, true)
	room := newGatherer(p).buf
	odd := room[1 : 1+blockSize]
	copy(odd, bytes.Repeat([]byte("y"), len(odd)))
	if err := p.out.writeBlocks(odd, 10); err != nil { // neither memory nor place is what the kernel asks for
		t.Fatal(err)
	}
	got := make([]byte, len(odd))
	if _, err := p.out.file.ReadAt(got, 10); err != nil || !bytes.Equal(got, odd) || p.out.uncached.Load() != nil {
		t.Fatalf("got %q..., still past the cache: %v; %v", got[:3], p.out.uncached.Load() != nil, err)
	}
	if err := p.out.close(true); err != nil {
		t.Fatal(err)
	}
}
