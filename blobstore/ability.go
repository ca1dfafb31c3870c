package blobstore

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// Checksum names a way to let a store check what it received. The names are kept in the log.
type Checksum string

// The checksums, cheapest first on a machine with CRC and SHA instructions.
const (
	ChecksumCRC32C Checksum = "crc32c" // x-amz-checksum-crc32c
	ChecksumSHA256 Checksum = "sha256" // x-amz-content-sha256, the signed payload
	ChecksumMD5    Checksum = "md5"    // Content-MD5
	ChecksumNone   Checksum = "none"   // the store checks nothing: sizes are compared after each Put
)

// Checksums lists what a probe tries, in the order of their price.
func Checksums() []Checksum { return []Checksum{ChecksumCRC32C, ChecksumSHA256, ChecksumMD5} }

// Sum computes the checksum of data, in the byte order in which S3 encodes it.
func (c Checksum) Sum(data []byte) []byte {
	switch c {
	case ChecksumCRC32C:
		return binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	case ChecksumSHA256:
		sum := sha256.Sum256(data)
		return sum[:]
	case ChecksumMD5:
		sum := md5.Sum(data) // against damage on the way, not against malice
		return sum[:]
	}
	return nil
}

// The interfaces below are for the probe. A store implements those that mean something for it;
// decorators do not pass them on.

// ChecksumPutter puts an object together with a checksum that may be wrong.
type ChecksumPutter interface {
	// PutChecksum stores data and sends sum (raw bytes) as its checksum. A store that looks
	// refuses a wrong one with ErrDamaged.
	PutChecksum(ctx context.Context, key string, data []byte, kind Checksum, sum []byte) error
}

// ConditionalPutter puts an object unless there is one.
type ConditionalPutter interface {
	// PutIfAbsent stores data under key; stored is false where the store refused because the
	// key is taken. Conditions are an optimisation and never a lock: some stores ignore them.
	PutIfAbsent(ctx context.Context, key string, data []byte) (stored bool, err error)
}

// Clock is a store that can be asked for its time.
type Clock interface {
	// Time returns the store's time, exact to about a second.
	Time(ctx context.Context) (time.Time, error)
}

// Expirer is a store that may delete objects by itself.
type Expirer interface {
	// ExpiryRules names the enabled rules that would delete objects of this store.
	ExpiryRules(ctx context.Context) ([]string, error)
}
