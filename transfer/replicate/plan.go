package replicate

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// job is a frame of the disk's table and the chunks of it that are missing.
type job struct {
	frame manifest.Frame
	want  []chunk.Ref // in the frame's order
}

// piece is a Piece of which something is missing. It belongs to the dispatcher; what flights share is in wants.
type piece struct {
	Piece
	at     int64 // in the plan
	length int   // there, in bytes
	jobs   int
	stored int64 // bytes of the frames, about
	chunks int   // missing

	done    bool
	tried   bool            // a flight was for it: some of its chunks may be there
	flights int             // of which it is a part; one more where it is held
	not     map[*place]lack // sources that lack a part of it
	lone    time.Time       // since when nobody can serve it; zero: somebody can

	// While it flies. Guarded by wants.mu but for want and known, which do not change then.
	want    []chunk.Ref
	known   vouched
	missing int
	claimed int     // of missing: another frame brought them, which is being kept
	held    bool    // no flight is for it, but some of it is claimed
	by      *flight // that brought the last chunk
}

// lack is what we know of a source that was asked for a piece in vain.
type lack struct {
	since time.Time // the last time
	times int
}

// plan keeps the jobs of pieces in a file that has no name: they may be more than memory. One goroutine adds, another
// reads what was added.
type plan struct {
	file *os.File
	at   int64
	buf  []byte
}

func newPlan(dir string) (*plan, error) {
	f, err := os.CreateTemp(dir, "plan-*")
	if err != nil {
		return nil, fmt.Errorf("plan of a copy: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &plan{file: f}, nil
}

func (p *plan) close() { p.file.Close() }

// add writes the jobs of a piece down.
func (p *plan) add(at Piece, jobs []job) (*piece, error) {
	out := &piece{Piece: at, at: p.at, jobs: len(jobs), not: map[*place]lack{}}
	b := p.buf[:0]
	for _, j := range jobs {
		b = appendJob(b, j)
		out.chunks += len(j.want)
		out.stored += j.stored()
	}
	p.buf, out.length = b, len(b)
	if _, err := p.file.WriteAt(b, p.at); err != nil {
		return nil, fmt.Errorf("plan of a copy: %w", err)
	}
	p.at += int64(len(b))
	return out, nil
}

// stored is about how many bytes a source sends for the job.
func (j job) stored() int64 {
	var plain int64
	for _, c := range j.want {
		plain += int64(c.Length)
	}
	if all := j.frame.Plain(); 2*plain < all {
		return int64(j.frame.Stored) * plain / all
	}
	return int64(j.frame.Stored)
}

func appendJob(b []byte, j job) []byte {
	b = append(b, j.frame.ID[:]...)
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
	return b
}

// read returns the jobs of a piece.
func (p *plan) read(at *piece) ([]job, error) {
	r := bufio.NewReader(io.NewSectionReader(p.file, at.at, int64(at.length)))
	jobs := make([]job, 0, at.jobs)
	for range at.jobs {
		j, err := readJob(r)
		if err != nil {
			return nil, fmt.Errorf("plan of a copy: %w", err)
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
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
