package xz

// prob is the probability that a bit is 0, in 2048ths.
type prob uint16

const (
	probBits = 11
	probInit = 1 << (probBits - 1)
	probMove = 5 // the part of the distance that a probability moves with each bit: a 32nd
	topValue = 1 << 24
)

func resetProbs(p []prob) {
	for i := range p {
		p[i] = probInit
	}
}

// rangeDecoder decodes bits from the compressed bytes of one chunk.
type rangeDecoder struct {
	in   []byte // what is not read yet
	rng  uint32
	code uint32
	over bool // more was read than there is
}

// start begins a chunk's bytes and says whether they can be any.
func (d *rangeDecoder) start(in []byte) bool {
	if len(in) < 5 || in[0] != 0 {
		return false
	}
	*d = rangeDecoder{in: in[5:], rng: 1<<32 - 1, code: uint32(in[1])<<24 | uint32(in[2])<<16 | uint32(in[3])<<8 | uint32(in[4])}
	return true
}

// ended says whether exactly the chunk's bytes were read.
func (d *rangeDecoder) ended() bool { return !d.over && len(d.in) == 0 && d.code == 0 }

func (d *rangeDecoder) fill() {
	d.rng <<= 8
	d.code <<= 8
	if len(d.in) == 0 {
		d.over = true
		return
	}
	d.code |= uint32(d.in[0])
	d.in = d.in[1:]
}

// bit decodes a bit of this probability, and moves the probability.
func (d *rangeDecoder) bit(p *prob) uint32 {
	bound := d.rng >> probBits * uint32(*p)
	var b uint32
	if d.code < bound {
		d.rng = bound
		*p += (1<<probBits - *p) >> probMove
	} else {
		d.rng -= bound
		d.code -= bound
		*p -= *p >> probMove
		b = 1
	}
	if d.rng < topValue {
		d.fill()
	}
	return b
}

// direct decodes n bits of even probability.
func (d *rangeDecoder) direct(n uint32) uint32 {
	var out uint32
	for ; n > 0; n-- {
		d.rng >>= 1
		d.code -= d.rng
		less := -(d.code >> 31) // all ones if code was below
		d.code += d.rng & less
		out = out<<1 + less + 1
		if d.rng < topValue {
			d.fill()
		}
	}
	return out
}

// walk decodes bits from node m of a tree on, the highest first, until it is at limit or beyond, and
// returns where. It is bit in a loop, with the state in registers: most of the time is spent here.
func (d *rangeDecoder) walk(p []prob, m, limit uint32) uint32 {
	rng, code := d.rng, d.code
	for m < limit {
		q := &p[m]
		v := uint32(*q)
		bound := rng >> probBits * v
		if code < bound {
			rng = bound
			*q = prob(v + (1<<probBits-v)>>probMove)
			m <<= 1
		} else {
			rng -= bound
			code -= bound
			*q = prob(v - v>>probMove)
			m = m<<1 | 1
		}
		if rng < topValue {
			d.rng, d.code = rng, code
			d.fill()
			rng, code = d.rng, d.code
		}
	}
	d.rng, d.code = rng, code
	return m
}

// tree decodes a number of n bits, the highest first; p has 1<<n probabilities.
func (d *rangeDecoder) tree(p []prob, n uint32) uint32 { return d.walk(p, 1, 1<<n) - 1<<n }

// reverse decodes a number of n bits, the lowest first.
func (d *rangeDecoder) reverse(p []prob, n uint32) uint32 {
	m, out := uint32(1), uint32(0)
	for i := range n {
		b := d.bit(&p[m])
		m = m<<1 | b
		out |= b << i
	}
	return out
}
