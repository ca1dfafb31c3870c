package xz

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"loggia/transfer/codec"
)

// Magic is how every .xz file begins.
const Magic = "\xfd7zXZ\x00"

// Reader unpacks the streams of a file one after the other ("The .xz File Format", version 1.2.1).
// All checks are checked before io.EOF is returned: of the headers, of the blocks' bytes, and of the
// index at a stream's end.
type Reader struct {
	in      *counted
	maxDict int
	dec     lzma2
	left    []byte // unpacked and not read yet
	err     error  // kept

	block   *block // nil between blocks
	check   byte   // kind of check of this stream's blocks
	records records
}

// NewReader makes a Reader that takes dictionaries of up to maxDict bytes; its memory is at most
// twice that and 5 MiB. Errors of reading are codec.ErrCorrupt, codec.ErrMemory, codec.ErrFeature,
// io.ErrUnexpectedEOF where the file was cut off, and those of r.
func NewReader(r io.Reader, maxDict int) *Reader {
	return &Reader{in: &counted{r: bufio.NewReaderSize(r, 128<<10)}, maxDict: maxDict}
}

// counted counts the bytes that are read.
type counted struct {
	r *bufio.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.left) == 0 && r.err == nil && len(p) > 0 {
		r.err = r.next()
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	if len(r.left) > 0 || n > 0 {
		return n, nil
	}
	return 0, r.err
}

// next goes on until there are bytes in left, or to the next part of the file.
func (r *Reader) next() error {
	if r.block == nil {
		return r.nextBlock()
	}
	b, err := r.dec.read()
	if err == io.EOF {
		err = r.endBlock()
	}
	if err == nil && r.block != nil {
		r.left = b
		err = r.block.took(b)
	}
	return err
}

// nextBlock begins the next block of this stream, or ends the stream and begins the next.
func (r *Reader) nextBlock() error {
	if !r.records.open {
		return r.startStream()
	}
	b, err := readBlockHeader(r.in, r.maxDict)
	if err == errIndex {
		return r.endStream()
	}
	if err != nil {
		return err
	}
	b.sum = newSum(r.check)
	r.block = b
	r.dec.start(r.in, b.dict)
	return nil
}

// startStream reads a stream's header, after the zeros that may be between streams.
func (r *Reader) startStream() error {
	var h [12]byte
	for {
		if _, err := io.ReadFull(r.in, h[:4]); err != nil {
			if err == io.EOF && r.in.n > 0 {
				return io.EOF
			}
			return cut(err)
		}
		if r.in.n == 4 || [4]byte(h[:4]) != [4]byte{} {
			break
		}
	}
	if _, err := io.ReadFull(r.in, h[4:]); err != nil {
		return cut(err)
	}
	switch {
	case string(h[:6]) != Magic:
		return corrupt("no stream at offset %d: signature %x", r.in.n-12, h[:6])
	case crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]):
		return corrupt("checksum of the stream's header")
	case h[6] != 0 || h[7]&0xf0 != 0:
		return fmt.Errorf("%w: xz: stream flags %#02x%02x", codec.ErrFeature, h[6], h[7])
	}
	if r.check = h[7]; checkLength(r.check) < 0 {
		return fmt.Errorf("%w: xz: check %d: must be none, CRC32, CRC64 or SHA-256", codec.ErrFeature, r.check)
	}
	r.records = newRecords()
	return nil
}

// endBlock reads the padding and the check behind a block's bytes.
func (r *Reader) endBlock() error {
	b := r.block
	r.block = nil
	packed := r.in.n - b.start
	if b.packed >= 0 && b.packed != packed || b.plain >= 0 && b.plain != b.got {
		return corrupt("block of %d bytes, %d compressed: its header says %d, %d", b.got, packed, b.plain, b.packed)
	}
	if err := readZeros(r.in, -packed&3); err != nil {
		return err
	}
	want := make([]byte, checkLength(r.check))
	if _, err := io.ReadFull(r.in, want); err != nil {
		return cut(err)
	}
	if got := checkBytes(r.check, b.sum); string(got) != string(want) {
		return corrupt("check of a block: %x: must be %x", want, got)
	}
	r.records.add(b.header+packed+int64(len(want)), b.got)
	return nil
}

// endStream reads the index, whose first byte has been read, and the footer.
func (r *Reader) endStream() error {
	size, err := r.records.readIndex(r.in)
	if err != nil {
		return err
	}
	var f [12]byte
	if _, err := io.ReadFull(r.in, f[:]); err != nil {
		return cut(err)
	}
	switch {
	case string(f[10:]) != "YZ":
		return corrupt("signature of the stream's footer %q", f[10:])
	case crc32.ChecksumIEEE(f[4:10]) != binary.LittleEndian.Uint32(f[:]):
		return corrupt("checksum of the stream's footer")
	case f[8] != 0 || f[9] != r.check:
		return corrupt("flags of the stream's footer differ from its header's")
	case int64(binary.LittleEndian.Uint32(f[4:]))*4+4 != size:
		return corrupt("backward size %d: index has %d bytes", binary.LittleEndian.Uint32(f[4:]), size)
	}
	r.records = records{}
	return nil
}

// The kinds of checks.
const (
	checkNone   = 0
	checkCRC32  = 1
	checkCRC64  = 4
	checkSHA256 = 10
)

func checkLength(kind byte) int {
	switch kind {
	case checkNone:
		return 0
	case checkCRC32:
		return 4
	case checkCRC64:
		return 8
	case checkSHA256:
		return sha256.Size
	}
	return -1
}

// crc64Table is of the polynomial that all checks of that kind have.
var crc64Table = crc64.MakeTable(crc64.ECMA)

func newSum(kind byte) hash.Hash {
	switch kind {
	case checkCRC32:
		return crc32.NewIEEE()
	case checkCRC64:
		return crc64.New(crc64Table)
	case checkSHA256:
		return sha256.New()
	}
	return nil
}

// checkBytes is a sum as it lies in the file.
func checkBytes(kind byte, sum hash.Hash) []byte {
	switch kind {
	case checkCRC32:
		return binary.LittleEndian.AppendUint32(nil, sum.(hash.Hash32).Sum32())
	case checkCRC64:
		return binary.LittleEndian.AppendUint64(nil, sum.(hash.Hash64).Sum64())
	case checkSHA256:
		return sum.Sum(nil)
	}
	return nil
}

// readZeros reads up to three bytes that must be zeros.
func readZeros(in io.Reader, n int64) error {
	var b [3]byte
	if _, err := io.ReadFull(in, b[:n]); err != nil {
		return cut(err)
	}
	if b != [3]byte{} {
		return corrupt("padding is not zeros")
	}
	return nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: xz: %s", codec.ErrCorrupt, fmt.Sprintf(format, args...))
}
