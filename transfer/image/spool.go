package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"loggia/diskformat"
	"loggia/transfer/codec/stream"
)

const (
	// holeBlock is the unit in which zeros are left out of the file: the unit of holes of disks.
	holeBlock = 64 << 10
	// batch is how much is unpacked between two looks at the context, and written at once.
	batch = 16 * holeBlock
)

var zeros [holeBlock]byte

// maxFile bounds the file that an image of at most so large a disk unpacks to: tables, bitmaps and
// preallocated blocks come to less than this.
func maxFile(disk int64) int64 { return disk + disk/16 + 512<<20 }

// spool unpacks a whole file.
func spool(ctx context.Context, src diskformat.Source, kind stream.Kind, o Options) (*os.File, error) {
	f, err := temporary(o.TempDir)
	if err != nil {
		return nil, err
	}
	if o.MaxSize == 0 {
		o.MaxSize = diskformat.DefaultMaxSize
	}
	if o.MaxFile == 0 {
		o.MaxFile = maxFile(o.MaxSize)
	}
	s := &spooler{file: f, limit: o.MaxFile, room: o.Room, src: src, told: o.Progress}
	if err := s.fill(ctx, kind); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// spooler writes what is unpacked, but for its zeros.
type spooler struct {
	src   diskformat.Source
	file  *os.File
	size  int64 // of the file, <= limit
	limit int64
	taken int64 // bytes that are no hole, <= room
	room  int64 // 0: without bound
	told  func(done, total int64)
}

func (s *spooler) fill(ctx context.Context, kind stream.Kind) error {
	r, err := stream.NewReader(kind, io.NewSectionReader(s.src, 0, s.src.Size()))
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, batch)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, buf)
		if err := s.add(buf[:n]); err != nil {
			return err
		}
		if s.told != nil {
			s.told(r.Packed(), s.src.Size())
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF: // of ReadFull itself: a file that was cut off has an error that wraps one
			return s.end()
		default:
			return err
		}
	}
}

// add writes the runs of b that are no zeros.
func (s *spooler) add(b []byte) error {
	if int64(len(b)) > s.limit-s.size {
		return fmt.Errorf("it unpacks to more than %d bytes: %w", s.limit, diskformat.ErrTooLarge)
	}
	at := s.size
	s.size += int64(len(b))
	for len(b) > 0 {
		n, hole := nextRun(b)
		if !hole {
			if s.taken += int64(n); s.room > 0 && s.taken > s.room {
				return fmt.Errorf("%w: more than %d bytes", ErrNoRoom, s.room)
			}
			if _, err := s.file.WriteAt(b[:n], at); err != nil {
				return err
			}
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

// nextRun is the length of the blocks at the begin of b that are alike: all holes, or none.
func nextRun(b []byte) (n int, hole bool) {
	hole = isHole(b)
	for n < len(b) && isHole(b[n:]) == hole {
		n += min(holeBlock, len(b)-n)
	}
	return n, hole
}

// isHole looks at the first block.
func isHole(b []byte) bool {
	b = b[:min(len(b), holeBlock)]
	return bytes.Equal(b, zeros[:len(b)])
}

// end gives the file its length, and refuses what is compressed twice.
func (s *spooler) end() error {
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	head := make([]byte, min(stream.HeadSize, s.size))
	if _, err := s.file.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	if inner := stream.Detect(head); inner != stream.None {
		return fmt.Errorf("it holds a file of %s: must be a disk image: %w", inner, diskformat.ErrFormat)
	}
	return nil
}
