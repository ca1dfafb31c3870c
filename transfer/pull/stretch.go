package pull

import (
	"slices"

	"loggia/transfer/chunk"
)

// The bounds of a stretch: what is read from the seed with one call, and hashed together.
const (
	stretchSize   = 256 << 10
	stretchChunks = 16
)

// stretch is chunks that lie in a row where they belong, and where the seed is said to hold them.
type stretch struct {
	chunks  []ahead
	at, off int64 // of the first, in guest bytes and in the seed
	size    int
}

// ahead is a chunk of a stretch.
type ahead struct {
	chunk.Ref
	at    int64
	twice bool // it lies elsewhere in the file as well, and is noted there
}

// takes says whether a chunk goes on where the stretch ends.
func (s *stretch) takes(c ahead, off int64) bool {
	return len(s.chunks) == 0 || len(s.chunks) < stretchChunks && s.size+int(c.Length) <= stretchSize &&
		s.at+int64(s.size) == c.at && s.off+int64(s.size) == off
}

func (s *stretch) add(c ahead, off int64) {
	if len(s.chunks) == 0 {
		s.at, s.off = c.at, off
	}
	s.chunks = append(s.chunks, c)
	s.size += int(c.Length)
}

// takeStretch puts a stretch in place and begins the next. Nothing is believed: what the seed does not hold is given to missing.
func (l *local) takeStretch(missing func(ref chunk.Ref, at int64)) error {
	s := &l.stretch
	if len(s.chunks) == 0 {
		return nil
	}
	b, err := l.readStretch()
	if err != nil {
		return err
	}
	end := 0
	for _, c := range s.chunks {
		begin := end
		if end += int(c.Length); end > len(b) {
			break // cut off, and all behind it
		}
		l.hasher.Add(b[begin:end])
	}
	ids := l.hasher.IDs()
	if !slices.EqualFunc(ids, s.chunks, func(id chunk.ID, c ahead) bool { return id == c.ID }) {
		b = slices.Clone(b) // with gaps it does not lie where it is written from
	}
	for i, c := range s.chunks {
		if i >= len(ids) || ids[i] != c.ID {
			missing(c.Ref, c.at)
		} else if err := l.place(b[:c.Length], c); err != nil {
			return err
		}
		b = b[min(len(b), int(c.Length)):]
	}
	s.chunks, s.size = s.chunks[:0], 0
	return nil
}

// readStretch reads a stretch, into where it is written from if it goes on there. What cannot be read is left out.
func (l *local) readStretch() ([]byte, error) {
	b := l.buf[:l.stretch.size]
	if l.out.layout == nil && l.end() == l.stretch.at {
		room, err := l.room(len(b))
		if err != nil {
			return nil, err
		}
		if cap(room) >= len(b) {
			b = room[:len(b)]
		}
	}
	n, _ := l.o.Seed.ReadAt(b, l.stretch.off)
	return b[:n], nil
}

// place writes a chunk of the seed.
func (l *local) place(b []byte, c ahead) error {
	l.seeded.Add(int64(len(b)))
	if err := l.write(b, c.at); err != nil {
		return err
	}
	if !c.twice {
		l.wrote(c.ID, c.at)
	}
	return nil
}
