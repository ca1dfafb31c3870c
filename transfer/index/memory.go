package index

import (
	"sync"

	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// Memory is an index of packs that no segment lists yet. It holds about 150 bytes for each chunk:
// its owner moves the packs into a segment before they are many. It is safe for many goroutines.
type Memory struct {
	mu     sync.RWMutex
	packs  []memoryPack
	frames []memoryFrame
	chunks map[chunk.ID]uint32 // number of a frame
	count  int                 // chunks listed
}

type memoryPack struct {
	Pack
	dir *pack.Directory
}

type memoryFrame struct {
	pack int
	at   *pack.Frame
}

// NewMemory makes an empty index.
func NewMemory() *Memory { return &Memory{chunks: make(map[chunk.ID]uint32)} }

// Add lists one pack; dir is not to be changed afterwards.
func (m *Memory) Add(p Pack, dir *pack.Directory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range dir.Frames {
		f := &dir.Frames[i]
		for _, ref := range f.Chunks {
			m.chunks[ref.ID] = uint32(len(m.frames))
		}
		m.count += len(f.Chunks)
		m.frames = append(m.frames, memoryFrame{pack: len(m.packs), at: f})
	}
	m.packs = append(m.packs, memoryPack{p, dir})
}

// Chunks is the number of chunks listed.
func (m *Memory) Chunks() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.count
}

// Lookup finds a chunk; the error is always nil.
func (m *Memory) Lookup(id chunk.ID) (Location, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, ok := m.chunks[id]
	if !ok {
		return Location{}, false, nil
	}
	f := m.frames[n]
	p := m.packs[f.pack]
	offset, length, _ := find(id, f.at.Chunks)
	return Location{Kind: p.Kind, Epoch: p.Epoch, Pack: p.ID, PackSize: p.Size,
		FrameID: f.at.ID, FrameOffset: f.at.Offset, FrameStored: f.at.Stored, FramePlain: f.at.Plain,
		PlainOffset: offset, Length: length, source: m, frame: n}, true, nil
}

func (m *Memory) frameChunks(n uint32) ([]chunk.Ref, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.frames[n].at.Chunks, nil
}

// Packs calls fn for every pack, in the order they were added.
func (m *Memory) Packs(fn func(Pack, *pack.Directory) error) error {
	m.mu.RLock()
	packs := m.packs[:len(m.packs):len(m.packs)]
	m.mu.RUnlock()
	for _, p := range packs {
		if err := fn(p.Pack, p.dir); err != nil {
			return err
		}
	}
	return nil
}
