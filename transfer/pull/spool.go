package pull

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// spool reads a manifest from a stream on the first walk, and again from a file that has no name on
// later ones. It is for one goroutine, and for walks that begin below the root.
type spool struct {
	file   *os.File
	w      *bufio.Writer
	stream streamed
	r      *bufio.Reader // set after the first walk
	buf    []byte
}

func newSpool(dir string, stream streamed) (*spool, error) {
	f, err := os.CreateTemp(dir, ".manifest-*")
	if err != nil {
		return nil, fmt.Errorf("keep manifest: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &spool{file: f, w: bufio.NewWriterSize(f, 64<<10), stream: stream}, nil
}

func (s *spool) close() { s.file.Close() }

// Node implements manifest.Getter for a walk.
func (s *spool) Node(ctx context.Context, id chunk.ID) ([]byte, error) {
	if s.r != nil {
		return s.again()
	}
	b, err := s.stream.Node(ctx, id)
	if err != nil {
		return nil, err
	}
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(b)))
	s.w.Write(n[:]) // its error comes with the next
	if _, err := s.w.Write(b); err != nil {
		return nil, fmt.Errorf("keep manifest: %w", err)
	}
	return b, nil
}

func (s *spool) again() ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(s.r, n[:]); err != nil {
		return nil, fmt.Errorf("manifest that was kept: %w", err)
	}
	size := int(binary.LittleEndian.Uint32(n[:]))
	if size > manifest.MaxNode {
		return nil, fmt.Errorf("manifest that was kept: %w: node of %d bytes", ErrVerification, size)
	}
	if cap(s.buf) < size {
		s.buf = make([]byte, size)
	}
	if _, err := io.ReadFull(s.r, s.buf[:size]); err != nil {
		return nil, fmt.Errorf("manifest that was kept: %w", err)
	}
	return s.buf[:size], nil
}

// rewind ends the first walk: the stream has to be at its end.
func (s *spool) rewind() error {
	if err := s.stream.end(); err != nil {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("keep manifest: %w", err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("keep manifest: %w", err)
	}
	s.r = bufio.NewReaderSize(s.file, 64<<10)
	return nil
}
