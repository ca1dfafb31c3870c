package repository

import "sync"

// arranging is the one piece of memory into which packs are arranged, a millisecond or two for each: what a pack leaves is
// the next one's.
var arranging struct {
	sync.Mutex
	spare []byte
}

// arrange lays the frames of a pack that goes on its way by lane. The Writer's mu is held.
func (p *openPack) arrange() {
	if p.builder.Arranged() {
		return
	}
	arranging.Lock()
	defer arranging.Unlock()
	p.buf.Exchange(&arranging.spare)
	moved := p.builder.Arrange(p.buf.Bytes())
	for i := range p.frames {
		p.frames[i].Offset = moved[p.frames[i].ID]
	}
}
