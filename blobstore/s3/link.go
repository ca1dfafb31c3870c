package s3

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"time"

	"loggia/blobstore"
)

// Link implements blobstore.Linker by a presigned GET whose Range header is among what is signed. Only on AWS, and only the
// first time, the service is asked for something: the bucket's region.
func (s *Store) Link(ctx context.Context, key string, off, n int64, life time.Duration) (blobstore.Link, error) {
	if err := begin(ctx, "link", key); err != nil {
		return blobstore.Link{}, err
	}
	if off < 0 || n < 1 || off > blobstore.MaxObject-n {
		return blobstore.Link{}, fmt.Errorf("s3 link %s: %w: %d bytes at %d", key, blobstore.ErrRange, n, off)
	}
	if life < time.Second || life > blobstore.MaxLinkLife {
		return blobstore.Link{}, fmt.Errorf("s3 link %s: a life of %v is not 1 s to %v", key, life, blobstore.MaxLinkLife)
	}
	signed := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", off, off+n-1)}}
	u, err := s.core.PresignHeader(ctx, http.MethodGet, s.o.Bucket, s.prefix+key, life, nil, signed)
	if err != nil {
		return blobstore.Link{}, wrap(ctx, "link", key, err)
	}
	return blobstore.Link{Origin: u.Scheme + "://" + u.Host, Path: u.RequestURI(), CA: s.ca}, nil
}

// certificates returns the certificates of a PEM file, and nothing else that may stand in it.
func certificates(file []byte) (out []byte) {
	for {
		var block *pem.Block
		if block, file = pem.Decode(file); block == nil {
			return out
		}
		if block.Type == "CERTIFICATE" {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		}
	}
}
