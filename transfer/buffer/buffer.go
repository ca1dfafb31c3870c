package buffer

// Buffer is lent by a Pool to one owner at a time, who may hand it on.
type Buffer struct {
	pool  *Pool
	whole []byte // nil once released
	n     int
}

// Bytes returns the n bytes that were asked for. Its capacity is n too. After Release nobody may
// touch them.
func (b *Buffer) Bytes() []byte { return b.whole[:b.n:b.n] }

// Exchange gives the buffer other memory of the same length, and spare that which it had: what was asked for is in spare then, and
// the buffer holds whatever was in spare, or is new where spare is of another length. So what is rearranged need not be copied
// twice, and the pool's sum stays.
func (b *Buffer) Exchange(spare *[]byte) {
	if len(*spare) != len(b.whole) {
		*spare = make([]byte, len(b.whole))
	}
	b.whole, *spare = *spare, b.whole
}

// Release gives the buffer back. It is called once; a second call is a fault of the program and
// panics, as it would hand one buffer to two owners. A nil Buffer is released without effect.
func (b *Buffer) Release() {
	if b == nil {
		return
	}
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.whole == nil {
		panic("buffer: released twice")
	}
	whole := b.whole
	b.whole = nil
	p.put(whole)
	p.serve()
}
