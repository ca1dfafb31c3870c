package chunk

// window is how many bytes a cut point depends on: the fingerprint is 64 bits wide and moves one
// bit to the left with each byte.
const window = 64

// thresholds are the two conditions of normalised chunking (Xia et al., "The Design of Fast
// Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE TPDS 2020, level
// 2): a cut point has a fingerprint below hard before the average length, below easy after it.
// A number below 2^64/n is as likely as a mask of log2(n) leading bits, and n need be no power of two.
type thresholds struct{ hard, easy uint64 }

func (p Params) thresholds() thresholds {
	const top = 1<<64 - 1
	return thresholds{hard: top / (4 * uint64(p.Average)), easy: top / max(1, uint64(p.Average)/4)}
}

// cut returns the length of the first chunk of b. b either holds at least p.Max bytes, or all that
// are left before a hole or the end of the span.
func (p *Params) cut(b []byte, t thresholds) int {
	n := min(len(b), int(p.Max))
	if n <= int(p.Min) {
		return n
	}
	normal := min(n, int(p.Average))
	var fp uint64
	for _, c := range b[p.Min-window : p.Min] {
		fp = fp<<1 + gear[c]
	}
	fp, i := scan(b[p.Min:normal], fp, t.hard)
	if i >= 0 {
		return int(p.Min) + i + 1
	}
	_, i = scan(b[normal:n], fp, t.easy)
	if i >= 0 {
		return normal + i + 1
	}
	return n
}

// lane is how far one of scan's two fingerprints runs, in bytes.
const lane = 512

// scan moves the fingerprint over b and returns the index of the first byte after which it is
// below limit, or -1. fp covers the window bytes before b.
//
// One fingerprint is bound by the latency of shift and add, 2 GB/s. Since it depends on no more
// than its window, a second one can run a lane ahead, which makes 3.4 GB/s; where either of them
// finds something, both lanes are looked at again in order.
func scan(b []byte, fp, limit uint64) (uint64, int) {
	i := 0
	for ; i+2*lane <= len(b); i += 2 * lane {
		two := b[i : i+2*lane : i+2*lane]
		last, found := scanLanes(two, fp, limit)
		if found {
			fp, j := scanOne(two, fp, limit)
			return fp, i + j
		}
		fp = last
	}
	fp, j := scanOne(b[i:], fp, limit)
	if j < 0 {
		return fp, -1
	}
	return fp, i + j
}

// scanLanes says whether a fingerprint in the two lanes of b is below limit, and if not, returns the
// one after the last byte.
func scanLanes(b []byte, f, limit uint64) (last uint64, found bool) {
	x, y := b[:lane:lane], b[lane:2*lane:2*lane]
	var g uint64
	for _, c := range x[lane-window:] {
		g = g<<1 + gear[c]
	}
	for j := 0; j+4 <= lane; j += 4 {
		f0 := f<<1 + gear[x[j]]
		g0 := g<<1 + gear[y[j]]
		f1 := f0<<1 + gear[x[j+1]]
		g1 := g0<<1 + gear[y[j+1]]
		f2 := f1<<1 + gear[x[j+2]]
		g2 := g1<<1 + gear[y[j+2]]
		f = f2<<1 + gear[x[j+3]]
		g = g2<<1 + gear[y[j+3]]
		if f0 < limit || f1 < limit || f2 < limit || f < limit || g0 < limit || g1 < limit || g2 < limit || g < limit {
			return 0, true
		}
	}
	return g, false
}

// scanOne is scan with one fingerprint.
func scanOne(b []byte, fp, limit uint64) (uint64, int) {
	for i, c := range b {
		if fp = fp<<1 + gear[c]; fp < limit {
			return fp, i
		}
	}
	return fp, -1
}
