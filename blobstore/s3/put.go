package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"

	"loggia/blobstore"
)

// Put implements blobstore.Store: one PUT with a checksum that the service is known to enforce,
// or one with CRC-32C and a HEAD that compares the size.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	kind := s.o.Checksum
	enforced := kind != "" && kind != blobstore.ChecksumNone
	if !enforced {
		kind = blobstore.ChecksumCRC32C
	}
	sum := func() []byte { return kind.Sum(data) }
	if err := s.put(ctx, "put", key, data, kind, sum, minio.PutObjectOptions{}); err != nil {
		return err
	}
	if enforced {
		return nil
	}
	return s.compareSize(ctx, "put", key, int64(len(data)))
}

// PutChecksum implements blobstore.ChecksumPutter.
func (s *Store) PutChecksum(ctx context.Context, key string, data []byte, kind blobstore.Checksum, sum []byte) error {
	return s.put(ctx, "put", key, data, kind, func() []byte { return sum }, minio.PutObjectOptions{})
}

// PutIfAbsent implements blobstore.ConditionalPutter by If-None-Match: *.
func (s *Store) PutIfAbsent(ctx context.Context, key string, data []byte) (bool, error) {
	var o minio.PutObjectOptions
	o.SetMatchETagExcept("*")
	err := s.put(ctx, "put if absent", key, data, blobstore.ChecksumSHA256,
		func() []byte { return blobstore.ChecksumSHA256.Sum(data) }, o)
	if errors.Is(err, errTaken) {
		return false, nil
	}
	return err == nil, err
}

// errTaken is how a condition that failed comes out of put.
var errTaken = errors.New("key is taken")

// put sends one request, or a few where folders come and go. sum is asked for only when the call is allowed at all.
func (s *Store) put(ctx context.Context, op, key string, data []byte, kind blobstore.Checksum, sum func() []byte, o minio.PutObjectOptions) error {
	if err := blobstore.CheckPut(key, len(data)); err != nil {
		return fmt.Errorf("s3 %s: %w", op, err)
	}
	if err := begin(ctx, op, key); err != nil {
		return err
	}
	o.DisableMultipart = true
	o.DisableContentSha256 = true // no streaming signature: it costs a SHA-256 on both sides
	md5Base64, sha256Hex := addChecksum(&o, kind, sum())
	if !s.secure() && sha256Hex == "" {
		// Without TLS the payload must be signed, or anybody on the way could replace it.
		sha256Hex = hex.EncodeToString(blobstore.ChecksumSHA256.Sum(data))
	}
	var info minio.UploadInfo
	err := whileFoldersGo(func() (err error) {
		wctx, watch := newWatch(ctx, s.o.StallTimeout)
		body := &upload{watch: watch, rest: data}
		defer body.release()
		defer watch.end()
		info, err = s.core.PutObject(context.WithValue(wctx, uploadKey{}, body), s.o.Bucket, s.prefix+key, body, int64(len(data)), md5Base64, sha256Hex, o)
		return stalled(wctx, err)
	})
	switch c := code(err); {
	case c == "PreconditionFailed" || c == "ConditionalRequestConflict":
		return fmt.Errorf("s3 %s %s: %w", op, key, errTaken)
	case c == "NoSuchKey": // a put has no key that could be missing
		return wrap(ctx, op, key, fmt.Errorf("%w: %v", blobstore.ErrUnavailable, err))
	case err != nil:
		return wrap(ctx, op, key, err)
	}
	if want := o.UserMetadata[crc32cHeader]; want != "" && info.ChecksumCRC32C != "" && info.ChecksumCRC32C != want {
		return wrap(ctx, op, key, fmt.Errorf("%w: service computed CRC-32C %s, we %s", blobstore.ErrDamaged, info.ChecksumCRC32C, want))
	}
	return nil
}

// whileFoldersGo repeats a request that writes where the service says that access is denied or that
// the key is not there. MinIO keeps a prefix as a folder and removes it with its last object; a write
// that makes the folder in the same moment may lose the race and is told one of the two
// (minio/minio#15157, #12914). A denial that is meant is said again: it costs two requests more.
func whileFoldersGo(write func() error) error {
	for again := 2; ; again-- {
		err := write()
		c := code(err)
		if again == 0 || c != "AccessDenied" && c != "NoSuchKey" {
			return err
		}
	}
}

const crc32cHeader = "X-Amz-Checksum-Crc32c"

// addChecksum puts sum where its kind belongs: a header, or two arguments of minio-go.
func addChecksum(o *minio.PutObjectOptions, kind blobstore.Checksum, sum []byte) (md5Base64, sha256Hex string) {
	switch kind {
	case blobstore.ChecksumCRC32C:
		o.UserMetadata = map[string]string{crc32cHeader: base64.StdEncoding.EncodeToString(sum)}
	case blobstore.ChecksumMD5:
		md5Base64 = base64.StdEncoding.EncodeToString(sum)
	case blobstore.ChecksumSHA256:
		sha256Hex = hex.EncodeToString(sum)
	}
	return md5Base64, sha256Hex
}

func (s *Store) compareSize(ctx context.Context, op, key string, want int64) error {
	info, err := s.Stat(ctx, key)
	if errors.Is(err, blobstore.ErrNotFound) {
		return wrap(ctx, op, key, fmt.Errorf("%w: not there after it was accepted", blobstore.ErrUnavailable))
	}
	if err != nil {
		return err
	}
	if info.Size != want {
		return wrap(ctx, op, key, fmt.Errorf("%w: %d bytes arrived of %d", blobstore.ErrDamaged, info.Size, want))
	}
	return nil
}

// Copy implements blobstore.Copier by a copy inside the service.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	if err := blobstore.CheckKey(to); err != nil {
		return fmt.Errorf("s3 copy: %w", err)
	}
	src, err := s.Stat(ctx, from)
	if err != nil || from == to {
		return err
	}
	var info minio.ObjectInfo
	err = whileFoldersGo(func() (err error) {
		info, err = s.core.CopyObject(ctx, s.o.Bucket, s.prefix+from, s.o.Bucket, s.prefix+to, nil, minio.CopySrcOptions{}, minio.PutObjectOptions{})
		return err
	})
	if err != nil {
		return wrap(ctx, "copy", to, err)
	}
	if info.ETag == "" {
		return wrap(ctx, "copy", to, fmt.Errorf("%w: answer names no copy", blobstore.ErrUnavailable))
	}
	return s.compareSize(ctx, "copy", to, src.Size)
}
