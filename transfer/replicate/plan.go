package replicate

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// job is a frame of the disk's table and the chunks of it that are missing.
type job struct {
	frame manifest.Frame
	want  []chunk.Ref // in the frame's order
}

// plan is a queue of jobs in a file that has no name: it may be longer than memory.
type plan struct {
	file *os.File
	w    *bufio.Writer
	jobs int
}

func newPlan(dir string) (*plan, error) {
	f, err := os.CreateTemp(dir, "plan-*")
	if err != nil {
		return nil, fmt.Errorf("plan of a copy: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &plan{file: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

func (p *plan) close() { p.file.Close() }

// add appends a job. All calls come before read.
func (p *plan) add(j job) error {
	b := append([]byte(nil), j.frame.ID[:]...)
	b = binary.LittleEndian.AppendUint32(b, j.frame.Stored)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(j.frame.Chunks)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(j.want)))
	for _, c := range j.frame.Chunks {
		b = append(b, c.ID[:]...)
		b = binary.LittleEndian.AppendUint32(b, c.Length)
	}
	for i, next := 0, 0; next < len(j.want); i++ {
		if j.frame.Chunks[i] == j.want[next] {
			b = binary.LittleEndian.AppendUint16(b, uint16(i))
			next++
		}
	}
	p.jobs++
	if _, err := p.w.Write(b); err != nil {
		return fmt.Errorf("plan of a copy: %w", err)
	}
	return nil
}

// read calls fn for each job in order.
func (p *plan) read(fn func(job) error) error {
	if err := p.w.Flush(); err != nil {
		return err
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(p.file, 64<<10)
	for range p.jobs {
		j, err := readJob(r)
		if err != nil {
			return fmt.Errorf("plan of a copy: %w", err)
		}
		if err := fn(j); err != nil {
			return err
		}
	}
	return nil
}

func readJob(r io.Reader) (job, error) {
	var head [digest.Size + 12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return job{}, err
	}
	n := head[digest.Size:]
	j := job{frame: manifest.Frame{ID: chunk.ID(head[:digest.Size]), Stored: binary.LittleEndian.Uint32(n)}}
	chunks, want := binary.LittleEndian.Uint32(n[4:]), binary.LittleEndian.Uint32(n[8:])
	b := make([]byte, int(chunks)*(digest.Size+4)+int(want)*2)
	if _, err := io.ReadFull(r, b); err != nil {
		return job{}, err
	}
	for range chunks {
		j.frame.Chunks = append(j.frame.Chunks, chunk.Ref{ID: chunk.ID(b[:digest.Size]), Length: binary.LittleEndian.Uint32(b[digest.Size:])})
		b = b[digest.Size+4:]
	}
	for range want {
		j.want = append(j.want, j.frame.Chunks[binary.LittleEndian.Uint16(b)])
		b = b[2:]
	}
	return j, nil
}
