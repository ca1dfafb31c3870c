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

// scan moves the fingerprint over b and returns the index of the first byte after which it is
// below limit, or -1. Eight bytes a turn: the loop is bound by two loads and one add per byte.
func scan(b []byte, fp, limit uint64) (uint64, int) {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		s := b[i : i+8 : i+8]
		f0 := fp<<1 + gear[s[0]]
		f1 := f0<<1 + gear[s[1]]
		f2 := f1<<1 + gear[s[2]]
		f3 := f2<<1 + gear[s[3]]
		f4 := f3<<1 + gear[s[4]]
		f5 := f4<<1 + gear[s[5]]
		f6 := f5<<1 + gear[s[6]]
		fp = f6<<1 + gear[s[7]]
		if min(f0, f1, f2, f3, f4, f5, f6, fp) < limit {
			for j, f := range [8]uint64{f0, f1, f2, f3, f4, f5, f6, fp} {
				if f < limit {
					return f, i + j
				}
			}
		}
	}
	for ; i < len(b); i++ {
		if fp = fp<<1 + gear[b[i]]; fp < limit {
			return fp, i
		}
	}
	return fp, -1
}
