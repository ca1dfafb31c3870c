package frame

import (
	"fmt"
	"slices"

	"loggia/transfer/codec"
)

// Compressor is codec.Encoder, as far as Encode needs it.
type Compressor interface {
	// Compress appends the zstd form of src to dst, or returns dst and false if that does not pay.
	Compress(dst, src []byte) ([]byte, bool)
}

// Decompressor is codec.Decoder, as far as Decode needs it.
type Decompressor interface {
	// Decompress unpacks src into dst's spare capacity, which is the limit.
	Decompress(dst, src []byte) ([]byte, error)
}

// Bound is the capacity with which Encode of n plain bytes into an empty dst does not allocate.
func Bound(n int) int { return HeaderSize + codec.Bound(n) }

// Encode appends a frame of plain to dst; stored is dst and the frame. enc may be nil: then the
// payload is plain. The error is ErrLimit where plain is empty or longer than MaxPlain.
func Encode(dst, plain []byte, enc Compressor) (stored []byte, h Header, err error) {
	if len(plain) == 0 || len(plain) > MaxPlain {
		return dst, Header{}, fmt.Errorf("%w: %d plain bytes", ErrLimit, len(plain))
	}
	h = Header{Transforms: []Transform{Zstd}, Plain: uint32(len(plain))}
	start := len(dst)
	body := start + h.Size()
	dst = slices.Grow(dst, Bound(len(plain)))
	packed := false
	if enc != nil {
		stored, packed = enc.Compress(dst[:body], plain)
	}
	if !packed {
		h.Transforms[0] = Plain
		stored = append(dst[:body], plain...)
	}
	h.Stored = uint32(len(stored) - start)
	h.Append(stored[start:start])
	return stored, h, nil
}

// Slack is room behind the plain bytes with which they are unpacked faster, in bytes: the decompressor copies 16 at a time, and without
// that room it minds the end in all of a frame's last 128 KiB.
const Slack = 16

// Decode appends the plain bytes of stored, which is exactly one frame, to dst. dst grows by the
// plain length that the header declares, at most MaxPlain, and by nothing else; Slack bytes of its capacity behind them may be
// overwritten. It checks no digest: the frame's id and its chunks are the caller's to check. On an error the result is nil.
func Decode(dst, stored []byte, dec Decompressor) ([]byte, error) {
	h, body, err := open(stored)
	if err != nil {
		return nil, err
	}
	if h.Transforms[0] == Plain {
		return append(dst, body...), nil
	}
	return unpack(dst, h, body, dec)
}

// Open is Decode for who only looks: the plain bytes lie in room, or are those of stored itself where the frame keeps them as
// they are.
func Open(room, stored []byte, dec Decompressor) ([]byte, error) {
	h, body, err := open(stored)
	if err != nil {
		return nil, err
	}
	if h.Transforms[0] == Plain {
		return body[:len(body):len(body)], nil
	}
	return unpack(room[:0], h, body, dec)
}

// open checks all of a frame but its packed payload, which it returns.
func open(stored []byte) (Header, []byte, error) {
	h, err := ParseHeader(stored)
	if err != nil {
		return h, nil, err
	}
	if int64(h.Stored) != int64(len(stored)) {
		return h, nil, fmt.Errorf("%w: header says %d bytes, there are %d", ErrCorrupt, h.Stored, len(stored))
	}
	if len(h.Transforms) != 1 || h.Transforms[0] > Zstd {
		return h, nil, fmt.Errorf("%w: %v", ErrTransform, h.Transforms)
	}
	body := stored[h.Size():]
	if h.Transforms[0] == Plain && len(body) != int(h.Plain) {
		return h, nil, fmt.Errorf("%w: payload of %d bytes, want %d", ErrCorrupt, len(body), h.Plain)
	}
	return h, body, nil
}

// unpack appends what a packed payload holds to dst.
func unpack(dst []byte, h Header, body []byte, dec Decompressor) ([]byte, error) {
	start := len(dst)
	end := start + int(h.Plain)
	if end > cap(dst) {
		dst = slices.Grow(dst, int(h.Plain)+Slack)
	}
	// A Decompressor may refuse more than MaxPlain.
	room := min(end+Slack, start+MaxPlain, cap(dst))
	plain, err := dec.Decompress(dst[:start:room], body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if len(plain) != end {
		return nil, fmt.Errorf("%w: unpacks to %d bytes, header says %d", ErrCorrupt, len(plain)-start, h.Plain)
	}
	return plain[:end:end], nil
}
