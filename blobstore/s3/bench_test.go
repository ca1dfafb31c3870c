package s3

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"

	"loggia/blobstore"
	"loggia/testing/s3servers"
)

// BenchmarkObjects writes and reads packs as nodes do, three at once, over TLS; cpu-s/GB is this process alone, without the server.
func BenchmarkObjects(b *testing.B) {
	const size, atOnce = 8 << 20, 3
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(data)
	for _, kind := range s3servers.Kinds() {
		srv := s3servers.Start(b, kind)
		o := optionsFor(srv, srv.NewBucket(b))
		o.Checksum = blobstore.ChecksumCRC32C
		s, err := Open(o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		run := func(name string, fn func(key string) error) {
			b.Run(string(kind)+"/"+name, func(b *testing.B) {
				b.SetBytes(size)
				b.SetParallelism(atOnce)
				var n atomic.Int64
				before := spent(b)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := fn(fmt.Sprintf("pack-%d", n.Add(1)%16)); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric((spent(b)-before)/(float64(b.N)*size/1e9), "cpu-s/GB")
			})
		}
		run("put", func(key string) error { return s.Put(b.Context(), key, data) })
		for i := range 16 {
			if err := s.Put(b.Context(), fmt.Sprintf("pack-%d", i), data); err != nil {
				b.Fatal(err)
			}
		}
		run("get", func(key string) error {
			r, err := s.Get(b.Context(), key, 0, size)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.ReadFull(r, make([]byte, size))
			return err
		})
	}
}

// spent is the processor time of this process, in seconds.
func spent(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}
