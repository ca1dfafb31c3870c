package digest

import "encoding/binary"

// Sums puts the digest of each message into out, which is as long. Where the processor can it works on two messages at a time, which
// takes hardly longer than one does.
func Sums(out []Digest, messages [][]byte) {
	if !paired {
		for i, m := range messages {
			out[i] = Of(m)
		}
		return
	}
	var (
		one, other lane
		next       int
	)
	for {
		next = one.fill(out, messages, next)
		next = other.fill(out, messages, next)
		switch {
		case one.left > 0 && other.left > 0:
			n := min(one.left, other.left, atOnce)
			blocks(&one.state, &other.state, one.at(), other.at(), n)
			one.pass(n)
			other.pass(n)
		case one.left > 0:
			one.alone()
		case other.left > 0:
			other.alone()
		default:
			return
		}
	}
}

// blockSize is what SHA-256 takes at a time, in bytes; atOnce is how many blocks go by before a goroutine can be stopped: 0.1 ms.
const (
	blockSize = 64
	atOnce    = 4096
)

// state is the eight words of SHA-256 as the instructions take them: F E B A, H G D C.
type state [8]uint32

// initial is the state before the first block (FIPS 180-4, 5.3.3).
var initial = state{0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667, 0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372}

// lane is a message on its way: its whole blocks, then the last one or two, which hold its rest, padding and its length.
type lane struct {
	state  state
	number int // of the message
	data   []byte
	left   int // blocks of data to be done
	tail   [2 * blockSize]byte
	ends   int // blocks of tail to be done after data
	busy   bool
}

// fill finds blocks for a lane that has none, of the messages from the next on, and returns which is the next then.
func (l *lane) fill(out []Digest, messages [][]byte, next int) int {
	for l.left == 0 && l.proceed(out) && next < len(messages) {
		l.begin(next, messages[next])
		next++
	}
	return next
}

// begin takes a message.
func (l *lane) begin(number int, message []byte) {
	l.state, l.number, l.busy = initial, number, true
	l.left = len(message) / blockSize
	whole := l.left * blockSize
	l.data = message[:whole]
	rest := copy(l.tail[:], message[whole:])
	clear(l.tail[rest:])
	l.tail[rest] = 0x80
	l.ends = 1
	if rest+1+8 > blockSize {
		l.ends = 2
	}
	binary.BigEndian.PutUint64(l.tail[l.ends*blockSize-8:], uint64(len(message))*8)
}

// proceed goes from data that is done to the tail, and from a tail to the end. It says whether the lane is free.
func (l *lane) proceed(out []Digest) bool {
	if !l.busy {
		return true
	}
	if l.ends > 0 {
		l.data, l.left, l.ends = l.tail[:l.ends*blockSize], l.ends, 0
		return false
	}
	s := &l.state
	for i, w := range [8]uint32{s[3], s[2], s[7], s[6], s[1], s[0], s[5], s[4]} {
		binary.BigEndian.PutUint32(out[l.number][4*i:], w)
	}
	l.busy = false
	return true
}

// at is the next block of what is left.
func (l *lane) at() *byte { return &l.data[0] }

// pass goes on by n blocks.
func (l *lane) pass(n int) {
	l.data, l.left = l.data[n*blockSize:], l.left-n
}

// alone makes what is left, with itself as the other message.
func (l *lane) alone() {
	var same state
	n := min(l.left, atOnce)
	blocks(&l.state, &same, l.at(), l.at(), n)
	l.pass(n)
}
