package diskformat

import "fmt"

// kind says where the bytes of a run come from.
type kind uint8

const (
	zeros  kind = iota // nowhere: they are zeros
	plain              // from the file, as they are
	packed             // from a compressed cluster
)

// run is a stretch of guest bytes, n > 0 of them, that the image stores in one way. It may reach
// beyond the end of the disk.
type run struct {
	kind kind
	n    int64
	host int64 // plain: file offset of the run's first byte; packed: of the compressed bytes
	// Of packed runs:
	stored int64 // compressed bytes to read, at most
	skip   int64 // bytes of the cluster before the run
}

// mapper knows where guest bytes are. One value serves one goroutine and one call.
type mapper interface {
	// run returns the run that begins at guest offset off, which lies in the disk.
	run(off int64) (run, error)
	// unpack fills dst with the begin of a packed run.
	unpack(dst []byte, r run) error
}

// Bounds of the work of one NextData.
const (
	// maxScan is how many runs of zeros are passed before the next is called data though it isn't:
	// 4 GiB of 64 KiB clusters. Without it a call for each span of an empty disk would walk all
	// tables each time.
	maxScan = 1 << 16
	// pretended is how much of that run is called data.
	pretended = 64 << 10
	// maxRun is how many bytes of data end a search for the end of data: the length of a span.
	maxRun = 64 << 20
)

// readRuns is ReadAt of a mapped disk.
func readRuns(m mapper, src Source, p []byte, off, size int64) (int, error) {
	n, eof, err := clip(p, off, size)
	if err != nil {
		return 0, err
	}
	for done := 0; done < n; {
		k, err := readRun(m, src, p[done:n], off+int64(done))
		if err != nil {
			return done, err
		}
		done += k
	}
	return n, orEOF(nil, eof)
}

// readRun fills p from the run at off and the ones that continue it in the file, and returns how
// many bytes that gave.
func readRun(m mapper, src Source, p []byte, off int64) (int, error) {
	r, err := m.run(off)
	if err != nil {
		return 0, err
	}
	n := min(r.n, int64(len(p)))
	switch r.kind {
	case zeros:
		clear(p[:n])
	case packed:
		err = m.unpack(p[:n], r)
	case plain:
		for n < int64(len(p)) {
			next, err := m.run(off + n)
			if err != nil {
				return 0, err
			}
			if next.kind != plain || next.host != r.host+n {
				break
			}
			n = min(n+next.n, int64(len(p)))
		}
		err = readFull(src, p[:n], r.host)
	}
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// nextRun is NextData of a mapped disk.
func nextRun(m mapper, src Source, off, size int64) (start, end int64, err error) {
	if off < 0 {
		return 0, 0, errNegative(off)
	}
	start = off
	for scanned := 0; start < size; scanned++ {
		r, err := m.run(start)
		if err == nil {
			r, err = hollow(src, r)
		}
		if err != nil {
			return 0, 0, err
		}
		if r.kind != zeros {
			end = start + r.n
			break
		}
		if scanned == maxScan {
			return start, min(start+min(r.n, pretended), size), nil
		}
		start += r.n
	}
	if start >= size {
		return size, size, nil
	}
	for end < size && end-start < maxRun {
		r, err := m.run(end)
		if err == nil {
			r, err = hollow(src, r)
		}
		if err != nil {
			return 0, 0, err
		}
		if r.kind == zeros {
			break
		}
		end += r.n
	}
	return start, min(end, size), nil
}

// hollowRun is the length from which on a run is worth a question to the file system.
const hollowRun = 1 << 20

// hollow shortens a long plain run to what begins it in the file itself: a hole, or data. Large blocks
// of a sparse file are mostly holes.
func hollow(src Source, r run) (run, error) {
	s, ok := src.(sparse)
	if !ok || r.kind != plain || r.n < hollowRun {
		return r, nil
	}
	start, end, err := s.nextData(r.host)
	if err != nil {
		return r, fmt.Errorf("find data at %d of the image: %w", r.host, err)
	}
	if start > r.host {
		return run{kind: zeros, n: min(start-r.host, r.n)}, nil
	}
	r.n = min(r.n, end-r.host)
	return r, nil
}
