package diskformat

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
)

// unpack fills dst with bytes of a compressed cluster. A read of a whole cluster is unpacked where
// it is wanted; others share the unpacked cluster through the cache.
func (c *qcow2Cursor) unpack(dst []byte, r run) error {
	q := c.q
	if int64(len(dst)) == q.clusterSize() {
		return q.unpackCluster(dst, r.host, r.stored)
	}
	b, err := q.clusters.get([2]int64{r.host, r.stored}, func() ([]byte, error) {
		b := make([]byte, q.clusterSize())
		return b, q.unpackCluster(b, r.host, r.stored)
	})
	if err == nil {
		copy(dst, b[r.skip:])
	}
	return err
}

// unpackCluster unpacks a whole cluster into dst.
func (q *qcow2) unpackCluster(dst []byte, host, stored int64) error {
	buf, _ := q.inputs.Get().(*[]byte)
	if buf == nil {
		b := make([]byte, 2*q.clusterSize()) // what the field for sectors can say, at most
		buf = &b
	}
	defer q.inputs.Put(buf)
	in := (*buf)[:max(min(stored, q.src.Size()-host), 0)] // the last sector may end beyond the file
	err := readFull(q.src, in, host)
	if err == nil {
		if q.compression == compressedZstd {
			err = unpackZstd(q.zstd, dst, in)
		} else {
			err = q.unpackDeflate(dst, in)
		}
	}
	if err != nil {
		return inQCOW2(fmt.Sprintf("compressed cluster at %d", host), err)
	}
	return nil
}

// unpackDeflate fills dst from the begin of a deflate stream without header; what follows in the
// last sector belongs to others.
func (q *qcow2) unpackDeflate(dst, in []byte) error {
	r, _ := q.inflate.Get().(io.ReadCloser)
	if r == nil {
		r = flate.NewReader(nil)
	}
	defer q.inflate.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(in), nil); err != nil {
		return err
	}
	if n, err := io.ReadFull(r, dst); err != nil {
		return refuse(ErrInconsistent, "deflate: %d of %d bytes: %v", n, len(dst), err)
	}
	return nil
}

// unpackZstd fills dst from zstd frames at the begin of in. A cluster may be several frames; what
// follows in the last sector belongs to others.
func unpackZstd(z Decompressor, dst, in []byte) error {
	for done := 0; done < len(dst); {
		n, skippable, err := zstdFrame(in)
		if err != nil {
			return refuse(ErrInconsistent, "zstd: %d of %d bytes: %v", done, len(dst), err)
		}
		if !skippable {
			room := dst[done:]
			out, err := z.Decompress(room[:0:len(room)], in[:n])
			if err != nil {
				return refuse(ErrInconsistent, "zstd: %d of %d bytes: %v", done, len(dst), err)
			}
			if len(out) > len(room) {
				return refuse(ErrInconsistent, "zstd: more than %d bytes", len(dst))
			}
			done += copy(room, out) // onto itself, unless the decompressor took memory of its own
		}
		in = in[n:]
	}
	return nil
}
