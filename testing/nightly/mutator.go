package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
)

// leastChange is the part of the disk's data blocks that a night changes at least.
const leastChange = 0.05

// drift is how far the amount of data may be from what it was at first.
const drift = 0.1

// mutator changes a disk night by night. It is for one goroutine.
type mutator struct {
	disk  *os.File
	stock *os.File // v2
	rng   *rand.Rand

	space    *space
	files    []run // of the disk, apart from each other
	news     []run // files of v2 that updates come from
	original int64 // blocks of data at first
	serial   uint64
	changed  map[int64]bool // blocks of this night
}

// newMutator takes over a disk, and a later release of it as the stock of updates.
func newMutator(disk, stock *os.File, seed uint64) (*mutator, error) {
	st, err := disk.Stat()
	if err != nil {
		return nil, err
	}
	m := &mutator{disk: disk, stock: stock, rng: rand.New(rand.NewPCG(seed, 7)), space: newSpace(st.Size() / blockSize)}
	mine, err := data(disk)
	if err != nil {
		return nil, err
	}
	theirs, err := data(stock)
	if err != nil {
		return nil, err
	}
	for _, r := range mine {
		m.space.take(r)
	}
	m.files, m.news = m.cut(mine), m.cut(theirs)
	m.original = m.space.used
	if len(m.files) == 0 || len(m.news) == 0 {
		return nil, errors.New("nightly: an image without data")
	}
	return m, nil
}

// cut divides runs into files. The sizes are log-normal: the median file has 4 blocks, the mean about 30.
func (m *mutator) cut(runs []run) (files []run) {
	for _, r := range runs {
		for r.count > 0 {
			n := min(r.count, m.size())
			files = append(files, run{r.first, n})
			r.first, r.count = r.first+n, r.count-n
		}
	}
	return files
}

func (m *mutator) size() int64 {
	return max(1, min(4096, int64(math.Exp(math.Log(4)+2*m.rng.NormFloat64()))))
}

// night is what a night did, in blocks.
type night struct {
	Moved    int64 `json:"moved"`
	Updated  int64 `json:"updated"`
	Grown    int64 `json:"grown"`
	Removed  int64 `json:"removed"`
	Data     int64 `json:"data"`     // blocks of data afterwards
	Changed  int64 `json:"changed"`  // of them, by count of the file
	Expected int64 `json:"expected"` // and by the model
}

// next makes the disk of the next night.
func (m *mutator) next() (night, error) {
	var n night
	m.changed = map[int64]bool{}
	// A little more than the least: some blocks are written with what they held.
	for m.expected() < int64(1.1*leastChange*float64(m.space.used))+1 {
		if err := m.step(&n); err != nil {
			return n, err
		}
	}
	n.Data, n.Expected = m.space.used, m.expected()
	return n, m.disk.Sync()
}

// expected counts the blocks of this night that hold data.
func (m *mutator) expected() (sum int64) {
	return int64(len(m.changed))
}

// step does one thing to one file.
func (m *mutator) step(n *night) error {
	i := m.rng.IntN(len(m.files))
	used, first := float64(m.space.used), float64(m.original)
	switch p := m.rng.Float64(); {
	case p < 0.3:
		return m.move(i, n)
	case p < 0.6:
		return m.update(i, n)
	case used > first*(1+drift) || p < 0.8 && used > first*(1-drift):
		return m.remove(i, n)
	default:
		return m.grow(i, n)
	}
}

// move writes a file elsewhere.
func (m *mutator) move(i int, n *night) error {
	old := m.files[i]
	place, ok := m.space.find(old.count, m.rng.Int64N(int64(len(m.space.taken))))
	if !ok {
		return m.remove(i, n) // the disk is full
	}
	if err := copyRun(m.disk, place.first, m.disk, old); err != nil {
		return err
	}
	m.wrote(place)
	m.files[i] = place
	n.Moved += old.count
	return m.leave(old)
}

// update replaces a file by one of the stock, as much of it as there is room for.
func (m *mutator) update(i int, n *night) error {
	from := m.news[m.rng.IntN(len(m.news))]
	count := min(from.count, m.files[i].count)
	if err := copyRun(m.disk, m.files[i].first, m.stock, run{from.first, count}); err != nil {
		return err
	}
	m.wrote(run{m.files[i].first, count})
	n.Updated += count
	return nil
}

// grow adds fresh blocks to a file: behind it, or elsewhere as a file of its own.
func (m *mutator) grow(i int, n *night) error {
	count := m.size()
	place := run{m.files[i].first + m.files[i].count, count}
	behind := m.space.fits(place)
	if !behind {
		var ok bool
		if place, ok = m.space.find(count, m.rng.Int64N(int64(len(m.space.taken)))); !ok {
			return m.remove(i, n)
		}
	}
	if _, err := m.disk.WriteAt(m.fresh(count), place.first*blockSize); err != nil {
		return err
	}
	m.wrote(place)
	if behind {
		m.files[i].count += count
	} else {
		m.files = append(m.files, place)
	}
	n.Grown += count
	return nil
}

// fresh returns blocks that nobody has seen: the first half text that compresses, the other half not.
func (m *mutator) fresh(count int64) []byte {
	b := make([]byte, count*blockSize)
	for at := int64(0); at < int64(len(b)); at += blockSize {
		m.serial++
		text := b[at : at : at+blockSize/2]
		for line := 0; len(text) < blockSize/2-80; line++ {
			text = fmt.Appendf(text, "night file %d line %d: status ok, nothing to report here\n", m.serial, line)
		}
		for j := at + blockSize/2; j < at+blockSize; j += 8 {
			binary.LittleEndian.PutUint64(b[j:], m.rng.Uint64())
		}
	}
	return b
}

// remove frees a file.
func (m *mutator) remove(i int, n *night) error {
	if len(m.files) == 1 {
		return errors.New("nightly: the last file would go")
	}
	old := m.files[i]
	m.files[i] = m.files[len(m.files)-1]
	m.files = m.files[:len(m.files)-1]
	n.Removed += old.count
	return m.leave(old)
}

// leave makes blocks a hole.
func (m *mutator) leave(r run) error {
	m.space.free(r)
	for i := r.first; i < r.first+r.count; i++ {
		delete(m.changed, i)
	}
	return punch(m.disk, r)
}

// wrote notes blocks that have new content.
func (m *mutator) wrote(r run) {
	m.space.take(r)
	for i := r.first; i < r.first+r.count; i++ {
		m.changed[i] = true
	}
}
