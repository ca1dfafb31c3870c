package main

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"loggia/testing/disks"
)

// blockSize is ext4's.
const blockSize = 4096

// run is consecutive blocks.
type run struct{ first, count int64 }

// data lists the runs of blocks of a file that hold anything but zeros.
func data(f *os.File) ([]run, error) {
	var runs []run
	err := eachBlock(f, func(n int64, block []byte) {
		if zero(block) {
			return
		}
		if last := len(runs) - 1; last >= 0 && runs[last].first+runs[last].count == n {
			runs[last].count++
			return
		}
		runs = append(runs, run{n, 1})
	})
	return runs, err
}

// eachBlock calls fn with every block of a file that is in no hole.
func eachBlock(f *os.File, fn func(n int64, block []byte)) error {
	buf := make([]byte, 1<<20)
	return disks.Data(f, func(e disks.Extent) error {
		end := e.Offset + e.Length
		for at := e.Offset / blockSize * blockSize; at < end; {
			n, err := f.ReadAt(buf[:min(int64(len(buf)), (end-at+blockSize-1)/blockSize*blockSize)], at)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if n == 0 {
				return nil
			}
			for i := 0; i < n; i += blockSize {
				fn((at+int64(i))/blockSize, buf[i:min(i+blockSize, n)])
			}
			at += int64(n)
		}
		return nil
	})
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// punch makes a run a hole.
func punch(f *os.File, r run) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, r.first*blockSize, r.count*blockSize)
}

// copyRun copies blocks from one place to another.
func copyRun(to *os.File, at int64, from *os.File, r run) error {
	_, err := io.Copy(io.NewOffsetWriter(to, at*blockSize), io.NewSectionReader(from, r.first*blockSize, r.count*blockSize))
	return err
}

// copySparse makes a copy of a file with its holes.
func copySparse(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	runs, err := data(in)
	if err == nil {
		err = out.Truncate(st.Size())
	}
	for _, r := range runs {
		if err == nil {
			err = copyRun(out, r.first, in, r)
		}
	}
	return err
}
