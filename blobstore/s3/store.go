package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"loggia/blobstore"
)

// Store is a blobstore.Store in one bucket. It also is a Copier, a ChecksumPutter, a
// ConditionalPutter, a Clock, an Expirer and a Linker.
type Store struct {
	o         Options
	core      minio.Core
	transport *http.Transport
	ca        []byte // certificates in PEM that vouch for the service; nil: the system's
	prefix    string // before every key: empty, or ending in a slash
}

// Open checks the options and reads the files they name. It sends nothing: whether the bucket is
// there, Capacity and the probe say.
func Open(o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	creds, err := o.Credentials.open()
	if err != nil {
		return nil, err
	}
	transport, ca, err := o.transport()
	if err != nil {
		return nil, err
	}
	scheme, host, _ := strings.Cut(strings.TrimRight(o.Endpoint, "/"), "://")
	client, err := minio.New(host, &minio.Options{
		Creds:        creds,
		Secure:       scheme == "https",
		Transport:    checked{next: transport},
		Region:       o.Region,
		BucketLookup: o.lookup(),
		MaxRetries:   o.MaxRetries,
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	s := &Store{o: o, core: minio.Core{Client: client}, transport: transport, ca: ca}
	if o.Prefix != "" {
		s.prefix = o.Prefix + "/"
	}
	return s, nil
}

// Close closes the idle connections.
func (s *Store) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

func (s *Store) secure() bool { return strings.HasPrefix(s.o.Endpoint, "https://") }

// begin checks what every call checks first.
func begin(ctx context.Context, op, key string) error {
	if err := blobstore.CheckKey(key); err != nil {
		return fmt.Errorf("s3 %s: %w", op, err)
	}
	return wrap(ctx, op, key, ctx.Err())
}

// Stat implements blobstore.Store.
func (s *Store) Stat(ctx context.Context, key string) (blobstore.Info, error) {
	if err := begin(ctx, "stat", key); err != nil {
		return blobstore.Info{}, err
	}
	o, err := s.core.StatObject(ctx, s.o.Bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return blobstore.Info{}, wrap(ctx, "stat", key, s.notFound(ctx, err))
	}
	if o.Size < 0 {
		return blobstore.Info{}, wrap(ctx, "stat", key, fmt.Errorf("%w: answer without a length", blobstore.ErrUnavailable))
	}
	return blobstore.Info{Key: key, Size: o.Size, Modified: o.LastModified}, nil
}

// notFound makes sure that a 404 without a body (the answer to HEAD) means the object and not
// the bucket: a bucket that is gone must not look like a store that lost an object.
func (s *Store) notFound(ctx context.Context, err error) error {
	if !errors.Is(classify(err), blobstore.ErrNotFound) {
		return err
	}
	if berr := s.reachable(ctx); berr != nil {
		return berr
	}
	return err
}

// reachable says whether the bucket answers.
func (s *Store) reachable(ctx context.Context) error {
	ok, err := s.core.BucketExists(ctx, s.o.Bucket)
	if err != nil || ok {
		return err
	}
	// versitygw says 404 to unknown keys too; only an answer with a body tells them apart.
	for object := range s.core.ListObjectsIter(ctx, s.o.Bucket, minio.ListObjectsOptions{MaxKeys: 1}) {
		if object.Err != nil {
			return object.Err
		}
		break
	}
	return ctx.Err() // it was made in between
}

// List implements blobstore.Store. An order that is not the contract's is an error, as the
// collector relies on it.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	if !blobstore.PossiblePrefix(prefix) {
		return wrap(ctx, "list", prefix, ctx.Err()) // nothing can be there
	}
	noOwner := false
	o := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, FetchOwner: &noOwner}
	if after != "" {
		o.StartAfter = s.prefix + after
	}
	last := after
	for object := range s.core.ListObjectsIter(ctx, s.o.Bucket, o) {
		if object.Err != nil {
			return wrap(ctx, "list", prefix, object.Err)
		}
		key, ours := strings.CutPrefix(object.Key, s.prefix)
		if !ours || blobstore.CheckKey(key) != nil {
			continue // foreign
		}
		if key <= last || !strings.HasPrefix(key, prefix) {
			return wrap(ctx, "list", prefix, fmt.Errorf("%w: list out of order: %q after %q", blobstore.ErrDamaged, key, last))
		}
		last = key
		if err := ctx.Err(); err != nil {
			break
		}
		if err := fn(blobstore.Info{Key: key, Size: object.Size, Modified: object.LastModified}); err != nil {
			return err
		}
	}
	return wrap(ctx, "list", prefix, ctx.Err()) // the iterator just stops
}

// Delete implements blobstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := begin(ctx, "delete", key); err != nil {
		return err
	}
	err := s.core.RemoveObject(ctx, s.o.Bucket, s.prefix+key, minio.RemoveObjectOptions{})
	if err != nil && errors.Is(classify(err), blobstore.ErrNotFound) {
		return nil
	}
	return wrap(ctx, "delete", key, err)
}

// Capacity implements blobstore.Store. S3 has no word for it: Known is true only with a quota in
// the options. It asks whether the bucket answers, so it fails when the service does not.
func (s *Store) Capacity(ctx context.Context) (blobstore.Capacity, error) {
	if err := s.reachable(ctx); err != nil {
		return blobstore.Capacity{}, wrap(ctx, "capacity", "", err)
	}
	if s.o.Quota == 0 {
		return blobstore.Capacity{}, nil
	}
	return blobstore.Capacity{Known: true, Total: s.o.Quota, Free: max(0, s.o.Quota-s.o.Used())}, nil
}

// Time implements blobstore.Clock by the Date of any answer, a refusal too.
func (s *Store) Time(ctx context.Context) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.o.Endpoint, nil)
	if err != nil {
		return time.Time{}, wrap(ctx, "time", "", err)
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return time.Time{}, wrap(ctx, "time", "", err)
	}
	_ = resp.Body.Close() // HEAD has none
	t, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, wrap(ctx, "time", "", fmt.Errorf("%w: answer without a date", blobstore.ErrUnavailable))
	}
	return t, nil
}

// ExpiryRules implements blobstore.Expirer. A service without lifecycle rules has none.
func (s *Store) ExpiryRules(ctx context.Context) ([]string, error) {
	rules, err := s.core.GetBucketLifecycle(ctx, s.o.Bucket)
	switch code(err) {
	case "NoSuchLifecycleConfiguration", "NotImplemented", "MethodNotAllowed", "UnsupportedOperation":
		return nil, nil
	}
	if err != nil {
		return nil, wrap(ctx, "lifecycle", "", err)
	}
	var names []string
	for _, r := range rules.Rules {
		expires := !r.Expiration.IsNull() || !r.NoncurrentVersionExpiration.IsDaysNull()
		prefix := r.Prefix + r.RuleFilter.Prefix + r.RuleFilter.And.Prefix // only one of them is used
		ours := strings.HasPrefix(prefix, s.prefix) || strings.HasPrefix(s.prefix, prefix)
		if r.Status == minio.Enabled && expires && ours {
			names = append(names, r.ID)
		}
	}
	return names, nil
}
