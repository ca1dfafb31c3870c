package imports

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	"loggia/api/azure/armid"
	"loggia/blobstore/s3"
	"loggia/gallery"
	"loggia/internal/outgoing"
	"loggia/node/config"
)

// Web fetches from the origins and buckets that the configuration allows.
type Web struct {
	client   *outgoing.Client
	accounts map[string]account
	max      int64
	home     func() gallery.SubscriptionID // whose accounts are those that name no subscription
}

// account is what a storage account stands for.
type account struct {
	subscription gallery.SubscriptionID // "": the default one
	prefix       string
	bucket       *s3.Store        // or
	client       *outgoing.Client // fetched as it is, from this origin only
}

var _ Fetcher = (*Web)(nil)

// NewWeb reads the configuration of imports.
func NewWeb(c config.Imports, home func() gallery.SubscriptionID) (*Web, error) {
	o := outgoing.Options{Policy: outgoing.Policy{Allow: c.Allow, Networks: c.Networks}}
	w := &Web{accounts: map[string]account{}, max: int64(c.MaxSize), home: home}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("imports.ca_file: %w", err)
		}
		if o.CA, err = x509.SystemCertPool(); err != nil {
			o.CA = x509.NewCertPool()
		}
		if !o.CA.AppendCertsFromPEM(pem) {
			return nil, errors.New("imports.ca_file: it holds no certificate")
		}
	}
	for name, a := range c.Accounts {
		made, err := newAccount(a, o)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("imports.accounts.%s: %w", name, err), w.Close())
		}
		w.accounts[strings.ToLower(name)] = made
	}
	var err error
	w.client, err = outgoing.New(o)
	return w, err
}

func newAccount(a config.Account, o outgoing.Options) (account, error) {
	out := account{subscription: gallery.SubscriptionID(strings.ToLower(a.Subscription)), prefix: strings.TrimSuffix(a.URL, "/") + "/"}
	if a.S3 == nil {
		u, err := url.Parse(a.URL)
		if err != nil {
			return out, err
		}
		o.Policy.Allow = []string{u.Scheme + "://" + u.Host}
		out.client, err = outgoing.New(o)
		return out, err
	}
	var err error
	out.bucket, err = s3.Open(s3.Options{Endpoint: a.S3.Endpoint, Bucket: a.S3.Bucket, Prefix: a.S3.Prefix, Region: a.S3.Region, PathStyle: s3.PathStyle(a.S3.Style),
		CAFile: a.S3.CAFile, Insecure: a.S3.Insecure,
		Credentials: s3.Credentials{AccessKey: a.S3.AccessKey, SecretKey: a.S3.SecretKey, AccessKeyEnv: a.S3.AccessKeyEnv, SecretKeyEnv: a.S3.SecretKeyEnv, File: a.S3.CredentialsFile}})
	return out, err
}

// Close ends connections.
func (w *Web) Close() error {
	var err error
	for _, a := range w.accounts {
		if a.bucket != nil {
			err = errors.Join(err, a.bucket.Close())
		} else if a.client != nil {
			a.client.Close()
		}
	}
	if w.client != nil {
		w.client.Close()
	}
	return err
}

// Open implements Fetcher. A URL that belongs to an account is fetched as the account says; an account that is named and unknown is refused, and so
// is a URL outside of its prefix.
func (w *Web) Open(ctx context.Context, i *gallery.Import, dir string) (File, error) {
	if i.Account == "" {
		return w.client.Open(ctx, i.URI, w.max, dir)
	}
	name := strings.ToLower(i.Account[strings.LastIndexByte(i.Account, '/')+1:])
	a, ok := w.accounts[name]
	if !ok || !w.owns(i.Account, a) {
		return nil, unsupported(fmt.Sprintf("the storage account %q is not among imports.accounts", name))
	}
	key, ok := strings.CutPrefix(i.URI, a.prefix)
	if !ok {
		return nil, unsupported(fmt.Sprintf("the URL does not belong to the storage account %q", name))
	}
	key, err := keyOf(key)
	if err != nil {
		return nil, err
	}
	if a.bucket == nil {
		return a.client.Open(ctx, i.URI, w.max, dir)
	}
	return w.object(ctx, a, key)
}

// owns says whether an id names the account of the subscription that it belongs to. A bare name is one of the default subscription.
func (w *Web) owns(id string, a account) bool {
	of := a.subscription
	if of == "" {
		of = w.home()
	}
	parsed, err := armid.ParseID(id)
	return err == nil && strings.EqualFold(string(parsed.Subscription()), string(of)) || !strings.Contains(id, "/") && of == w.home()
}

// keyOf is the name of what lies below an account's prefix. It never leads out of it, however a server reads the path.
func keyOf(rest string) (string, error) {
	path, _, _ := strings.Cut(rest, "?") // a signature, which our own credentials make needless
	key, err := url.PathUnescape(path)
	if err != nil || !utf8.ValidString(key) {
		return "", fmt.Errorf("%w: the path is malformed", outgoing.ErrInvalid)
	}
	for plain := key; ; { // a server that unescapes more than once must not find more
		for part := range strings.FieldsFuncSeq(plain, func(r rune) bool { return strings.ContainsRune(`/\#;?`, r) }) {
			if part == "." || part == ".." {
				return "", fmt.Errorf("%w: the path must not hold . or .. as a part", outgoing.ErrInvalid)
			}
		}
		next, err := url.PathUnescape(plain)
		if err != nil || next == plain {
			return key, nil
		}
		plain = next
	}
}

func (w *Web) object(ctx context.Context, a account, key string) (File, error) {
	o, err := a.bucket.OpenObject(ctx, key)
	if err != nil {
		return nil, err
	}
	if o.Size() > w.max {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", outgoing.ErrTooLarge, o.Size(), w.max)
	}
	return o, nil
}
