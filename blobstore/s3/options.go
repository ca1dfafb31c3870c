package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"loggia/blobstore"
	"loggia/internal/bulk"
)

// PathStyle is how the bucket is named in requests.
type PathStyle string

// The styles. Auto is virtual hosts for AWS and paths for everybody else.
const (
	StyleAuto    PathStyle = "auto"
	StylePath    PathStyle = "path"
	StyleVirtual PathStyle = "virtual"
)

// Options describe one bucket. The zero values of the lower half mean the defaults beside them.
type Options struct {
	Endpoint    string // https://host[:port]; http:// only with Insecure
	Bucket      string
	Credentials Credentials

	Prefix    string    // before all our keys, without slashes at its ends; may be empty
	Region    string    // us-east-1; for AWS it is asked for
	PathStyle PathStyle // auto
	CAFile    string    // PEM; the system's authorities when empty
	Insecure  bool      // allows http://, where anybody on the way reads and changes everything

	// Checksum is the cheapest one that a probe found enforced. Empty means not known yet: then
	// CRC-32C is sent, and the size is compared after each Put, as for ChecksumNone.
	Checksum blobstore.Checksum

	MaxRetries     int           // attempts inside minio-go, 1: package retry repeats, by kind
	ConnectTimeout time.Duration // for TCP and for TLS, 10 s each
	StallTimeout   time.Duration // without a byte moving in a body, 30 s
	AnswerTimeout  time.Duration // from the last byte sent to the answer's header, 60 s
	MaxIdleConns   int           // kept warm, 64

	// Quota is the room that was agreed on, in bytes, with Used counting what is taken, for
	// services that do not say. 0 means not known.
	Quota int64
	Used  func() int64
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&o.ConnectTimeout, 10*time.Second)
	set(&o.StallTimeout, 30*time.Second)
	set(&o.AnswerTimeout, 60*time.Second)
	if o.PathStyle == "" {
		o.PathStyle = StyleAuto
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = 1
	}
	if o.MaxIdleConns == 0 {
		o.MaxIdleConns = 64
	}
	if !strings.Contains(o.Endpoint, "://") {
		o.Endpoint = "https://" + o.Endpoint
	}
	if u, err := url.Parse(o.Endpoint); err == nil && o.Region == "" && !isAmazon(u.Hostname()) {
		o.Region = "us-east-1"
	}
	return o
}

func isAmazon(host string) bool {
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

// bucketName is the rule of S3 for new buckets, without dots: they break TLS with virtual hosts.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Validate reports everything that is wrong at once. It reads no file.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("s3: "+format, args...)) }
	if err := o.checkEndpoint(); err != nil {
		bad("endpoint: %w", err)
	}
	if !bucketName.MatchString(o.Bucket) {
		bad("bucket: %q is no bucket name (3 to 63 of a-z 0-9 . -)", o.Bucket)
	}
	if o.Prefix != "" {
		if err := blobstore.CheckKey(o.Prefix); err != nil {
			bad("prefix: %w", err)
		}
		if len(o.Prefix) > maxPrefix {
			bad("prefix: %d bytes, at most %d", len(o.Prefix), maxPrefix)
		}
	}
	switch o.PathStyle {
	case StyleAuto, StylePath, StyleVirtual:
	default:
		bad("path style: %q is none of auto, path, virtual", o.PathStyle)
	}
	switch o.Checksum {
	case "", blobstore.ChecksumNone, blobstore.ChecksumCRC32C, blobstore.ChecksumSHA256, blobstore.ChecksumMD5:
	default:
		bad("checksum: %q is not known", o.Checksum)
	}
	if o.MaxRetries < 1 || o.MaxRetries > 3 {
		bad("max retries: %d is not 1 to 3", o.MaxRetries)
	}
	if o.ConnectTimeout < 0 || o.StallTimeout < 0 || o.AnswerTimeout < 0 || o.MaxIdleConns < 0 || o.Quota < 0 {
		bad("a timeout, idle connections or quota below 0")
	}
	if o.Quota > 0 && o.Used == nil {
		bad("quota: needs somebody who counts what is used")
	}
	return errors.Join(append(errs, o.Credentials.Validate())...)
}

// maxPrefix leaves room for the longest key in S3's 1,024 bytes.
const maxPrefix = 1024 - blobstore.MaxKey - 1

func (o Options) checkEndpoint() error {
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q is neither https nor http", u.Scheme)
	case u.Scheme == "http" && !o.Insecure:
		return errors.New("plain http needs insecure to be set")
	case u.Hostname() == "":
		return errors.New("no host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return errors.New("only scheme, host and port, please")
	case u.Scheme == "http" && o.CAFile != "":
		return errors.New("a CA without TLS")
	}
	return nil
}

func (o Options) lookup() minio.BucketLookupType {
	switch o.PathStyle {
	case StylePath:
		return minio.BucketLookupPath
	case StyleVirtual:
		return minio.BucketLookupDNS
	}
	return minio.BucketLookupAuto
}

// transport is HTTP/1.1 only: one slow stream of an HTTP/2 connection holds up the others, and
// no S3 service is faster with it. Bodies pass its buffers by: an upload writes itself to the connection, and whoever reads more than
// the read buffer holds (a record of TLS is 16 KiB) has it directly. ca is what vouches for the service, in PEM; nil is the system's.
func (o Options) transport() (transport *http.Transport, ca []byte, err error) {
	roots, ca, err := o.roots()
	if err != nil {
		return nil, nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dial := (&net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 15 * time.Second}).DialContext
	// Some services close a connection after every answer: the next one resumes its session.
	conf := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true, ClientSessionCache: tls.NewLRUClientSessionCache(o.MaxIdleConns)}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		DialTLSContext:        bulk.TLS(dial, conf, o.ConnectTimeout),
		Protocols:             protocols,
		TLSClientConfig:       conf, // behind a proxy
		TLSHandshakeTimeout:   o.ConnectTimeout,
		ResponseHeaderTimeout: o.AnswerTimeout,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          o.MaxIdleConns,
		MaxIdleConnsPerHost:   o.MaxIdleConns,
		IdleConnTimeout:       90 * time.Second,
		ReadBufferSize:        32 << 10,
		DisableCompression:    true, // else the transport would change lengths
	}, ca, nil
}

// roots returns the authorities of the CA file, as a pool and in PEM; nil are the system's.
func (o Options) roots() (*x509.CertPool, []byte, error) {
	if o.CAFile == "" {
		return nil, nil, nil
	}
	file, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, nil, fmt.Errorf("s3: CA file: %w", err)
	}
	ca, pool := certificates(file), x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, nil, fmt.Errorf("s3: CA file %s holds no certificate", o.CAFile)
	}
	return pool, ca, nil
}
