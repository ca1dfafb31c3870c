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
