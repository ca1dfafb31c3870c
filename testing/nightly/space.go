package main

// space knows which blocks of a disk are free. Invariant: used is the number of blocks that are not.
type space struct {
	taken []bool
	used  int64
}

func newSpace(blocks int64) *space { return &space{taken: make([]bool, blocks)} }

// take marks the blocks of a run as used.
func (s *space) take(r run) { s.mark(r, true, 1) }

// free marks them as free.
func (s *space) free(r run) { s.mark(r, false, -1) }

func (s *space) mark(r run, taken bool, each int64) {
	for i := r.first; i < r.first+r.count; i++ {
		if s.taken[i] != taken {
			s.taken[i] = taken
			s.used += each
		}
	}
}

// fits says whether a run lies on the disk and is free.
func (s *space) fits(r run) bool {
	if r.first < 0 || r.first+r.count > int64(len(s.taken)) {
		return false
	}
	for i := r.first; i < r.first+r.count; i++ {
		if s.taken[i] {
			return false
		}
	}
	return true
}

// find returns the first place of count free blocks at or after from, going round the disk once.
func (s *space) find(count, from int64) (run, bool) {
	n := int64(len(s.taken))
	length := int64(0)
	for step := range n + count {
		at := (from + step) % n
		if at == 0 {
			length = 0 // a run does not go round
		}
		if s.taken[at] {
			length = 0
			continue
		}
		if length++; length == count {
			return run{at - count + 1, count}, true
		}
	}
	return run{}, false
}
