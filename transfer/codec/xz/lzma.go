package xz

// Sizes of the model ("LZMA specification", Igor Pavlov, 2015).
const (
	states        = 12
	posStates     = 1 << 4
	literalProbs  = 0x300
	maxLiteral    = 4 // lc + lp, of LZMA2
	fullDistances = 128
	endPosModel   = 14
	minMatch      = 2
)

// lengths decodes lengths of matches.
type lengths struct {
	choice, choice2 prob
	low, mid        [posStates][8]prob
	high            [256]prob
}

func (l *lengths) reset() {
	l.choice, l.choice2 = probInit, probInit
	for i := range l.low {
		resetProbs(l.low[i][:])
		resetProbs(l.mid[i][:])
	}
	resetProbs(l.high[:])
}

func (l *lengths) decode(rc *rangeDecoder, posState int) int {
	if rc.bit(&l.choice) == 0 {
		return minMatch + int(rc.tree(l.low[posState][:], 3))
	}
	if rc.bit(&l.choice2) == 0 {
		return minMatch + 8 + int(rc.tree(l.mid[posState][:], 3))
	}
	return minMatch + 16 + int(rc.tree(l.high[:], 8))
}

// lzma is the model and state of an LZMA decoder.
type lzma struct {
	rc         rangeDecoder
	lc, lp, pb uint
	state      uint32
	rep        [4]uint32 // distances of the last matches, less one

	isMatch, isRep0Long              [states][posStates]prob
	isRep, isRepG0, isRepG1, isRepG2 [states]prob
	posSlot                          [4][64]prob
	posSpecial                       [1 + fullDistances - endPosModel]prob
	posAlign                         [16]prob
	matchLen, repLen                 lengths
	literal                          [literalProbs << maxLiteral]prob
}

// setProperties takes a properties byte, if LZMA2 allows it.
func (d *lzma) setProperties(b byte) bool {
	lc, rest := uint(b%9), uint(b/9)
	lp, pb := rest%5, rest/5
	if pb > 4 || lc+lp > maxLiteral {
		return false
	}
	d.lc, d.lp, d.pb = lc, lp, pb
	return true
}

// reset forgets everything but the properties.
func (d *lzma) reset() {
	d.state, d.rep = 0, [4]uint32{}
	for i := range states {
		resetProbs(d.isMatch[i][:])
		resetProbs(d.isRep0Long[i][:])
	}
	for _, p := range [][]prob{d.isRep[:], d.isRepG0[:], d.isRepG1[:], d.isRepG2[:], d.posSpecial[:], d.posAlign[:], d.literal[:literalProbs<<(d.lc+d.lp)]} {
		resetProbs(p)
	}
	for i := range d.posSlot {
		resetProbs(d.posSlot[i][:])
	}
	d.matchLen.reset()
	d.repLen.reset()
}

// decode fills w[at:] from the compressed bytes of one chunk. What a match refers to lies in w, at most
// dict bytes back. It says whether all went well.
func (d *lzma) decode(w []byte, at, dict int, in []byte) bool {
	if !d.rc.start(in) {
		return false
	}
	mask := 1<<d.pb - 1
	for at < len(w) {
		posState := at & mask
		if d.rc.bit(&d.isMatch[d.state][posState]) == 0 {
			if d.state >= 7 && int(d.rep[0]) >= at {
				return false
			}
			w[at] = d.decodeLiteral(w, at)
			at++
			continue
		}
		n := d.match(posState)
		distance := int(d.rep[0]) + 1
		if d.rc.over || n > len(w)-at || distance > min(at, dict) {
			return false
		}
		copyMatch(w, at, n, distance)
		at += n
	}
	return d.rc.ended()
}

// copyMatch repeats n bytes from distance bytes before at; they may overlap.
func copyMatch(w []byte, at, n, distance int) {
	if distance >= n {
		copy(w[at:at+n], w[at-distance:])
		return
	}
	from, to := w[at-distance:at+n-distance], w[at:at+n]
	for i := range to {
		to[i] = from[i]
	}
}

// decodeLiteral decodes the byte at w[at].
func (d *lzma) decodeLiteral(w []byte, at int) byte {
	var before uint
	if at > 0 {
		before = uint(w[at-1])
	}
	context := (uint(at)&(1<<d.lp-1))<<d.lc | before>>(8-d.lc)
	p := d.literal[literalProbs*context:][:literalProbs]
	symbol := uint32(1)
	if d.state >= 7 { // after a match: as long as the byte is like the one that would have continued it
		matched := uint32(w[at-int(d.rep[0])-1])
		for symbol < 0x100 {
			matched <<= 1
			want := matched & 0x100
			symbol = symbol<<1 | d.rc.bit(&p[0x100+want+symbol])
			if symbol&1 != want>>8 {
				break
			}
		}
	}
	symbol = d.rc.walk(p, symbol, 0x100)
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
	return byte(symbol)
}

// next is the state after something that is no literal: one after a literal, one after all else.
func (d *lzma) next(afterLiteral, otherwise uint32) {
	if d.state < 7 {
		d.state = afterLiteral
	} else {
		d.state = otherwise
	}
}

// match decodes a match: its distance becomes rep[0], its length is returned.
func (d *lzma) match(posState int) int {
	rc, s := &d.rc, d.state
	if rc.bit(&d.isRep[s]) == 0 {
		n := d.matchLen.decode(rc, posState)
		d.next(7, 10)
		d.rep[3], d.rep[2], d.rep[1] = d.rep[2], d.rep[1], d.rep[0]
		d.rep[0] = d.distance(n)
		return n
	}
	if rc.bit(&d.isRepG0[s]) == 0 {
		if rc.bit(&d.isRep0Long[s][posState]) == 0 {
			d.next(9, 11)
			return 1
		}
	} else {
		d.rotate(s)
	}
	n := d.repLen.decode(rc, posState)
	d.next(8, 11)
	return n
}

// rotate brings one of the older distances to the front.
func (d *lzma) rotate(s uint32) {
	i := 1
	if d.rc.bit(&d.isRepG1[s]) == 1 {
		i = 2 + int(d.rc.bit(&d.isRepG2[s]))
	}
	found := d.rep[i]
	copy(d.rep[1:i+1], d.rep[:i])
	d.rep[0] = found
}

// distance decodes the distance of a match of n bytes, less one.
func (d *lzma) distance(n int) uint32 {
	rc := &d.rc
	slot := rc.tree(d.posSlot[min(n-minMatch, 3)][:], 6)
	if slot < 4 {
		return slot
	}
	bits := slot>>1 - 1
	out := (2 | slot&1) << bits
	if slot < endPosModel {
		return out + rc.reverse(d.posSpecial[out-slot:], bits)
	}
	out += rc.direct(bits-4) << 4
	return out + rc.reverse(d.posAlign[:], 4)
}
