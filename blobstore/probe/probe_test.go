package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/lifecycle"

	"loggia/blobstore"
	"loggia/blobstore/filesystem"
	"loggia/blobstore/memory"
	"loggia/blobstore/s3"
	"loggia/testing/faults"
	"loggia/testing/s3servers"
)

func wantEmpty(t *testing.T, s blobstore.Store) {
	t.Helper()
	err := s.List(context.Background(), "", "", func(i blobstore.Info) error {
		t.Errorf("the probe left %s", i.Key)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFilesystem(t *testing.T) {
	s, err := filesystem.Open(t.TempDir(), filesystem.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Probe(t.Context(), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !a.ReadAfterWrite || !a.ListAfterWrite || !a.Range || !a.Overwrite || !a.Delete || !a.ServerCopy || !a.Capacity {
		t.Errorf("found %+v", a)
	}
	if a.ConditionalPut || a.Checksum != blobstore.ChecksumNone || a.SkewAlarm || a.Links {
		t.Errorf("found %+v", a)
	}
	wantEmpty(t, s)
}

func TestRealServers(t *testing.T) {
	for _, kind := range s3servers.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			srv := s3servers.Start(t, kind)
			bucket := srv.NewBucket(t)
			s, err := s3.Open(s3.Options{Endpoint: srv.Endpoint, Bucket: bucket, CAFile: srv.CAFile, Prefix: "here",
				Credentials: s3.Credentials{AccessKey: srv.AccessKey, SecretKey: srv.SecretKey}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			a, err := Probe(t.Context(), s, Options{})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(a)
			t.Logf("%s, %v", text, err)
			if !a.ReadAfterWrite || !a.ListAfterWrite || !a.Range || !a.Overwrite || !a.Delete || !a.ConditionalPut || !a.ServerCopy || !a.Links || a.SkewAlarm {
				t.Errorf("found %s", text)
			}
			if a.Checksum != blobstore.ChecksumCRC32C || !slices.Equal(a.Enforced, blobstore.Checksums()) {
				t.Errorf("checksums %v, %v", a.Checksum, a.Enforced)
			}
			wantEmpty(t, s)
			away, err := Probe(t.Context(), s, Options{Now: func() time.Time { return time.Now().Add(-20 * time.Minute) }})
			if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "clock") || away.SkewMillis < 1_100_000 {
				t.Errorf("20 minutes away: got %v, skew %d ms", err, away.SkewMillis)
			}
			if kind == s3servers.MinIO { // versitygw keeps no lifecycle rules
				testExpiry(t, srv, s, bucket)
			}
		})
	}
}

// testExpiry: a rule that deletes our objects makes a bucket unfit, one for others does not.
func testExpiry(t *testing.T, srv s3servers.Server, s *s3.Store, bucket string) {
	client, err := srv.S3()
	if err != nil {
		t.Fatal(err)
	}
	for prefix, fit := range map[string]bool{"here/": false, "": false, "here/deeper/": false, "elsewhere/": true} {
		rules := lifecycle.NewConfiguration()
		rules.Rules = []lifecycle.Rule{{ID: "tidy", Status: "Enabled", RuleFilter: lifecycle.Filter{Prefix: prefix},
			Expiration: lifecycle.Expiration{Days: 30}}}
		if err := client.SetBucketLifecycle(t.Context(), bucket, rules); err != nil {
			t.Fatal(err)
		}
		_, err := Probe(t.Context(), s, Options{})
		if fit != (err == nil) || !fit && (!errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "tidy")) {
			t.Errorf("rule on %q: got %v, want fit %v", prefix, err, fit)
		}
	}
}

// sloppy is an S3 service that takes everything and looks at nothing.
type sloppy struct {
	*memory.Store
	enforce blobstore.Checksum // except this
	time    time.Time
}

func (s *sloppy) PutIfAbsent(ctx context.Context, key string, data []byte) (bool, error) {
	return true, s.Put(ctx, key, data)
}

func (s *sloppy) PutChecksum(ctx context.Context, key string, data []byte, kind blobstore.Checksum, sum []byte) error {
	if kind == s.enforce && !bytes.Equal(sum, kind.Sum(data)) {
		return blobstore.ErrDamaged
	}
	return s.Put(ctx, key, data)
}

func (s *sloppy) Time(context.Context) (time.Time, error) { return s.time, nil }

func TestClaimsAreNotBelieved(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	for _, c := range []struct {
		enforce blobstore.Checksum
		want    blobstore.Checksum
		off     time.Duration
		alarm   bool
		unfit   bool
	}{
		{"", blobstore.ChecksumNone, 0, false, false},
		{blobstore.ChecksumMD5, blobstore.ChecksumMD5, 30 * time.Second, false, false},
		{blobstore.ChecksumSHA256, blobstore.ChecksumSHA256, -61 * time.Second, true, false},
		{blobstore.ChecksumCRC32C, blobstore.ChecksumCRC32C, 14 * time.Minute, true, false},
		{"", blobstore.ChecksumNone, -16 * time.Minute, true, true},
	} {
		s := &sloppy{Store: memory.New(nil, 0), enforce: c.enforce, time: now.Add(c.off).Truncate(time.Second)}
		a, err := Probe(t.Context(), s, Options{Now: func() time.Time { return now }})
		if a.ConditionalPut || a.Checksum != c.want || a.SkewAlarm != c.alarm || (err != nil) != c.unfit {
			t.Errorf("%+v: found %+v, %v", c, a, err)
		}
		wantEmpty(t, s)
	}
}

func TestUnfitStores(t *testing.T) {
	for name, c := range map[string]struct {
		rule faults.Rule
		want string
	}{
		"damage": {faults.Rule{Op: faults.Get, Damage: true, Flip: 5}, "read back"},
		"short":  {faults.Rule{Op: faults.Get, Short: true, Keep: 5}, "read back"},
		"absent": {faults.Rule{Op: faults.Get, Count: 1, Err: blobstore.ErrNotFound}, "read back"},
		"range":  {faults.Rule{Op: faults.Get, From: 2, Count: 1, Err: blobstore.ErrRange}, "ranges"},
		"once":   {faults.Rule{Op: faults.Put, From: 2, Count: 1, Err: blobstore.ErrForbidden}, "twice"},
		"keeps":  {faults.Rule{Op: faults.Delete, Count: 1, Err: blobstore.ErrForbidden}, "deleted"},
	} {
		s := faults.New(memory.New(nil, 0), c.rule)
		if _, err := Probe(t.Context(), s, Options{}); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrUnfit and %q", name, err, c.want)
		}
		s.Heal()
		wantEmpty(t, s)
	}
	for _, kind := range []error{blobstore.ErrForbidden, blobstore.ErrUnavailable, blobstore.ErrFull, blobstore.ErrThrottled} {
		s := faults.New(memory.New(nil, 0), faults.Rule{Op: faults.Put, Err: kind})
		if _, err := Probe(t.Context(), s, Options{}); !errors.Is(err, kind) || errors.Is(err, ErrUnfit) {
			t.Errorf("got %v, want %v: that says nothing of what it can do", err, kind)
		}
	}
}

// canceling ends the probe's context in the middle.
type canceling struct {
	*memory.Store
	cancel func()
}

func (c canceling) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	c.cancel()
	return c.Store.Get(ctx, key, off, n)
}

func TestCanceledProbeCleansUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := memory.New(nil, 0)
	if _, err := Probe(ctx, canceling{s, cancel}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	wantEmpty(t, s)
}
