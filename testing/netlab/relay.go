package netlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of one direction of a link; what comes on top is dropped, as a router would.
const (
	maxQueued      = 1 << 16                // packets on their way
	maxQueuedBytes = 64 << 20               // 50 ms at 10 Gbit/s
	maxBacklog     = 250 * time.Millisecond // waiting for the line, where it has a rate
)

// packet is one packet with its offload header, and when it arrives.
type packet struct {
	due  time.Time
	data []byte
	room *room // that data lies in, to be given back; nil where data is a copy
}

// room is where a device's packets are read to.
type room [maxPacket]byte

var rooms = sync.Pool{New: func() any { return new(room) }}

// smallPacket is what is copied rather than let occupy a room: acknowledgements, mostly. What is
// larger crosses without a copy, since on two cores copying segments would be the line's limit.
const smallPacket = 4 << 10

// relay carries packets one way. The time at which a packet arrives is fixed when it is sent:
// the sender's line, then the distance, then the receiver's line. It never reorders: where the
// distance shrinks, packets wait for those before them.
type relay struct {
	from, to *tun
	delay    atomic.Int64 // time.Duration; of packets that are sent from now on
	cut      *atomic.Bool
	rate     int64 // bit/s of the lines; 0 is no limit
	up, down *turnstile

	queue  chan packet
	queued atomic.Int64 // bytes in queue <= maxQueuedBytes
}

// line is what a region's links share.
type line struct{ up, down turnstile }

// turnstile is a line that carries one packet after the other.
type turnstile struct {
	mu   sync.Mutex
	free time.Time // when the last packet is through
}

// pass returns when n bytes that arrive at t are through, or false when the line's buffer is full.
func (s *turnstile) pass(t time.Time, n int, rate int64) (time.Time, bool) {
	if rate == 0 {
		return t, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free.Before(t) {
		s.free = t
	} else if s.free.Sub(t) > maxBacklog {
		return t, false
	}
	s.free = s.free.Add(time.Duration(int64(n) * 8 * int64(time.Second) / rate))
	return s.free, true
}

// read queues what the device sends until it is closed.
func (r *relay) read(ctx context.Context) error {
	defer close(r.queue)
	for {
		buf := rooms.Get().(*room)
		n, err := r.from.Read(buf[:])
		if err != nil {
			rooms.Put(buf)
			if ctx.Err() != nil || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return fmt.Errorf("read from %s: %w", r.from.Name(), err)
		}
		p := packet{data: buf[:n], room: buf}
		if n <= smallPacket {
			p = packet{data: append([]byte(nil), buf[:n]...)}
			rooms.Put(buf)
		}
		if !r.enqueue(p) {
			p.drop()
		}
	}
}

// drop gives the packet's room back.
func (p packet) drop() {
	if p.room != nil {
		rooms.Put(p.room)
	}
}

// enqueue queues a packet and says whether there was space on the way for it.
func (r *relay) enqueue(p packet) bool {
	size := int64(len(p.data))
	if r.cut.Load() || size <= headerLen || r.queued.Load()+size > maxQueuedBytes {
		return false
	}
	t, ok := r.up.pass(time.Now(), len(p.data)-headerLen, r.rate)
	if ok {
		t, ok = r.down.pass(t.Add(time.Duration(r.delay.Load())), len(p.data)-headerLen, r.rate)
	}
	if !ok {
		return false
	}
	p.due = t
	r.queued.Add(size)
	select {
	case r.queue <- p:
		return true
	default:
		r.queued.Add(-size)
		return false
	}
}

// write hands packets to the other device when they are due.
func (r *relay) write(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range r.queue {
		if wait := time.Until(p.due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				continue // the reader ends, too, and closes the queue
			}
		}
		r.queued.Add(-int64(len(p.data)))
		err := r.deliver(p)
		p.drop()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("write to %s: %w", r.to.Name(), err)
		}
	}
	return nil
}

// deliver writes a packet, unless the link is cut.
func (r *relay) deliver(p packet) error {
	if r.cut.Load() {
		return nil
	}
	if _, err := r.to.Write(p.data); err != nil && !transient(err) {
		return err
	}
	return nil
}

// transient says whether the kernel refused one packet: the device is down, or memory is short.
func transient(err error) bool {
	for _, e := range []error{unix.EIO, unix.ENETDOWN, unix.ENOBUFS, unix.ENOMEM, unix.EINVAL, os.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
