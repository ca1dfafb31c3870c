package idset

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"sync"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

const (
	recordSize  = digest.Size + 8
	pageRecords = 4096 / recordSize
	pageSize    = pageRecords * recordSize // bytes of a page: one read of a lookup
)

// run is a sorted file of records: id, value. It never changes.
type run struct {
	f      *os.File
	level  int
	count  int
	fences []uint64 // first eight bytes of each page's first id
	pages  sync.Pool
}

func prefix(id []byte) uint64 { return binary.BigEndian.Uint64(id) }

// get looks in the page that may hold id; where several pages begin with the same eight bytes, in each.
func (r *run) get(id chunk.ID) (uint64, bool, error) {
	want := prefix(id[:])
	page := sort.Search(len(r.fences), func(i int) bool { return r.fences[i] >= want })
	for page = max(page-1, 0); page < len(r.fences) && r.fences[page] <= want; page++ {
		if v, ok, err := r.find(page, id); ok || err != nil {
			return v, ok, err
		}
	}
	return 0, false, nil
}

func (r *run) find(page int, id chunk.ID) (uint64, bool, error) {
	b, _ := r.pages.Get().(*[pageSize]byte)
	if b == nil {
		b = new([pageSize]byte)
	}
	defer r.pages.Put(b)
	n := min(pageRecords, r.count-page*pageRecords)
	if _, err := r.f.ReadAt(b[:n*recordSize], int64(page)*pageSize); err != nil {
		return 0, false, fmt.Errorf("read id set: %w", err)
	}
	at, ok := sort.Find(n, func(i int) int { return bytes.Compare(id[:], b[i*recordSize:][:digest.Size]) })
	if !ok {
		return 0, false, nil
	}
	return binary.LittleEndian.Uint64(b[at*recordSize+digest.Size:]), true, nil
}

func (r *run) close() error { return r.f.Close() }

// runWriter writes records in ascending order of id.
type runWriter struct {
	run *run
	w   *bufio.Writer
}

func newRunWriter(dir string) (*runWriter, error) {
	f, err := os.CreateTemp(dir, ".idset-*")
	if err != nil {
		return nil, fmt.Errorf("spill id set: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("spill id set: %w", err)
	}
	return &runWriter{run: &run{f: f}, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

func (w *runWriter) add(record []byte) {
	if w.run.count%pageRecords == 0 {
		w.run.fences = append(w.run.fences, prefix(record))
	}
	w.run.count++
	w.w.Write(record) // errors of a bufio.Writer stick until Flush
}

func (w *runWriter) finish() (*run, error) {
	if err := w.w.Flush(); err != nil {
		w.run.f.Close()
		return nil, fmt.Errorf("spill id set: %w", err)
	}
	return w.run, nil
}

func writeRun(dir string, entries map[chunk.ID]uint64) (*run, error) {
	w, err := newRunWriter(dir)
	if err != nil {
		return nil, err
	}
	ids := make([]chunk.ID, 0, len(entries))
	for id := range entries {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b chunk.ID) int { return bytes.Compare(a[:], b[:]) })
	var record [recordSize]byte
	for _, id := range ids {
		copy(record[:], id[:])
		binary.LittleEndian.PutUint64(record[digest.Size:], entries[id])
		w.add(record[:])
	}
	return w.finish()
}

// reader goes through a run in order.
type reader struct {
	r      *bufio.Reader
	record [recordSize]byte
	ok     bool
}

func newReader(r *run) (*reader, error) {
	size := int64(r.count) * recordSize
	rd := &reader{r: bufio.NewReaderSize(io.NewSectionReader(r.f, 0, size), 256<<10)}
	return rd, rd.next()
}

func (r *reader) next() error {
	_, err := io.ReadFull(r.r, r.record[:])
	r.ok = err == nil
	if err != nil && err != io.EOF {
		return fmt.Errorf("read id set: %w", err)
	}
	return nil
}

func (r *run) each(fn func(id chunk.ID) error) error {
	rd, err := newReader(r)
	for err == nil && rd.ok {
		if err = fn(chunk.ID(rd.record[:digest.Size])); err == nil {
			err = rd.next()
		}
	}
	return err
}

// mergeRuns makes one run of several, oldest first: of equal ids the newest stays.
func mergeRuns(dir string, runs []*run) (*run, error) {
	readers := make([]*reader, len(runs))
	for i, r := range runs {
		var err error
		if readers[i], err = newReader(r); err != nil {
			return nil, err
		}
	}
	w, err := newRunWriter(dir)
	if err != nil {
		return nil, err
	}
	for {
		var least *reader
		for _, r := range readers { // a later one wins among equals
			if r.ok && (least == nil || bytes.Compare(r.record[:digest.Size], least.record[:digest.Size]) <= 0) {
				least = r
			}
		}
		if least == nil {
			return w.finish()
		}
		w.add(least.record[:])
		if err := passOver(readers, [digest.Size]byte(least.record[:digest.Size])); err != nil {
			w.run.f.Close()
			return nil, err
		}
	}
}

// passOver moves every reader beyond id.
func passOver(readers []*reader, id [digest.Size]byte) error {
	for _, r := range readers {
		if r.ok && bytes.Equal(r.record[:digest.Size], id[:]) {
			if err := r.next(); err != nil {
				return err
			}
		}
	}
	return nil
}
