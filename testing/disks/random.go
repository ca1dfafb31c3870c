package disks

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// Stream is an endless stream of bytes that no compressor shrinks and that no other seed has.
func Stream(seed uint64) io.Reader {
	rng := rand.New(rand.NewPCG(seed, 0x10661a))
	var key [32]byte
	for i := 0; i < len(key); i += 8 {
		binary.LittleEndian.PutUint64(key[i:], rng.Uint64())
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has a length that AES has
	}
	return cipher.StreamReader{S: cipher.NewCTR(block, make([]byte, aes.BlockSize)), R: zeros{}}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Random makes a disk full of Stream(seed).
func Random(file string, size int64, seed uint64) error {
	return Spread(file, size, []Extent{{0, size}}, seed)
}

// Extent is a part of a disk, in bytes.
type Extent struct{ Offset, Length int64 }

// Spread makes a sparse disk with bytes of Stream(seed) in the extents and holes between them.
func Spread(file string, size int64, extents []Extent, seed uint64) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(size); err != nil {
		return err
	}
	stream := Stream(seed)
	for _, e := range extents {
		if _, err := io.Copy(io.NewOffsetWriter(f, e.Offset), io.LimitReader(stream, e.Length)); err != nil {
			return fmt.Errorf("%s: write %d bytes at %d: %w", file, e.Length, e.Offset, err)
		}
	}
	return f.Sync()
}

// Evenly divides data into count extents that lie evenly over a disk, each on a boundary of 4 KiB.
func Evenly(size, data int64, count int) []Extent {
	const block = 4096
	each := data / int64(count) / block * block
	step := size / int64(count) / block * block
	all := make([]Extent, count)
	for i := range all {
		all[i] = Extent{int64(i) * step, each}
	}
	return all
}

// Overwrite writes bytes of Stream(seed) over a part of a disk.
func Overwrite(file string, e Extent, seed uint64) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(f, e.Offset), io.LimitReader(Stream(seed), e.Length))
	return errors.Join(err, f.Close())
}
