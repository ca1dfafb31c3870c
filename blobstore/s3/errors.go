package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"loggia/blobstore"
)

// ErrNoBucket says that the bucket is not there. It comes with blobstore.ErrUnavailable, never with
// ErrNotFound: a bucket that is missing says nothing about the objects, and it may be made.
var ErrNoBucket = errors.New("bucket does not exist")

// ErrCertificate says that the service's certificate was not accepted; it comes with
// blobstore.ErrUnavailable.
var ErrCertificate = errors.New("certificate of the service is not accepted")

// errStalled ends a request in which no byte moves.
var errStalled = errors.New("no byte moved for too long")

// wrap gives a failure its kind. The cause's text is kept and its chain is cut where the kind is
// our finding: the timeouts of net and net/http call themselves context.DeadlineExceeded, which
// would make a passing failure look like the caller's own deadline, and permanent.
func wrap(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	name := strings.TrimSpace("s3 " + op + " " + key)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", name, ctx.Err())
	}
	if k := blobstore.KindOf(err); k != blobstore.KindOther && k != blobstore.KindCanceled {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s: %w", name, classify(err))
}

func classify(err error) error {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		return classifyAnswer(answer)
	}
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: %w: signed by an unknown authority (set the CA file): %v", blobstore.ErrUnavailable, ErrCertificate, err)
	case errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &verify):
		return fmt.Errorf("%w: %w: %v", blobstore.ErrUnavailable, ErrCertificate, err)
	}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w: answer is cut or garbled: %v", blobstore.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %v", blobstore.ErrUnavailable, err)
}

// classifyAnswer goes by the code, then by the status where the code is new to us.
func classifyAnswer(a minio.ErrorResponse) error {
	text := fmt.Sprintf("%s (%s, status %d)", a.Error(), a.Code, a.StatusCode)
	if a.RequestID != "" && a.RequestID != "minio" {
		text += ", request " + a.RequestID
	}
	if a.Code == "NoSuchBucket" {
		return fmt.Errorf("%w: %w: %s", blobstore.ErrUnavailable, ErrNoBucket, text)
	}
	kind, ok := codes[a.Code]
	if !ok {
		kind = statusKind(a)
	}
	return fmt.Errorf("%w: %s", kind, text)
}

// codes are those of AWS, MinIO, Ceph RGW, Garage, SeaweedFS, versitygw and Wasabi that matter.
var codes = map[string]error{
	"NoSuchKey": blobstore.ErrNotFound,

	"AccessDenied": blobstore.ErrForbidden, "AllAccessDisabled": blobstore.ErrForbidden, "AccountProblem": blobstore.ErrForbidden,
	"InvalidAccessKeyId": blobstore.ErrForbidden, "SignatureDoesNotMatch": blobstore.ErrForbidden,
	"ExpiredToken": blobstore.ErrForbidden, "InvalidToken": blobstore.ErrForbidden, "TokenRefreshRequired": blobstore.ErrForbidden,
	"RequestTimeTooSkewed": blobstore.ErrForbidden, "RequestExpired": blobstore.ErrForbidden,
	"AuthorizationHeaderMalformed": blobstore.ErrForbidden, "InvalidSecurity": blobstore.ErrForbidden,
	"XAdminUserNotFound": blobstore.ErrForbidden, "NotSignedUp": blobstore.ErrForbidden, "UserSuspended": blobstore.ErrForbidden,

	"SlowDown": blobstore.ErrThrottled, "SlowDownRead": blobstore.ErrThrottled, "SlowDownWrite": blobstore.ErrThrottled,
	"Throttling": blobstore.ErrThrottled, "ThrottlingException": blobstore.ErrThrottled, "RequestThrottled": blobstore.ErrThrottled,
	"RequestLimitExceeded": blobstore.ErrThrottled, "TooManyRequests": blobstore.ErrThrottled, "BandwidthLimitExceeded": blobstore.ErrThrottled,
	"ServiceUnavailable": blobstore.ErrThrottled, "OperationAborted": blobstore.ErrUnavailable,

	"XMinioStorageFull": blobstore.ErrFull, "XMinioAdminBucketQuotaExceeded": blobstore.ErrFull, "QuotaExceeded": blobstore.ErrFull,
	"InsufficientStorage": blobstore.ErrFull, "InsufficientCapacity": blobstore.ErrFull, "StorageFull": blobstore.ErrFull,
	"TooManyObjects": blobstore.ErrFull, "ServiceQuotaExceeded": blobstore.ErrFull, "XMinioBackendDown": blobstore.ErrUnavailable,

	"InvalidRange":   blobstore.ErrRange,
	"EntityTooLarge": blobstore.ErrTooLarge,

	"BadDigest": blobstore.ErrDamaged, "InvalidDigest": blobstore.ErrDamaged, "IncompleteBody": blobstore.ErrDamaged,
	"XAmzContentSHA256Mismatch": blobstore.ErrDamaged, "XAmzContentChecksumMismatch": blobstore.ErrDamaged,

	"KeyTooLongError": blobstore.ErrInvalidKey, "XMinioInvalidObjectName": blobstore.ErrInvalidKey,
	"XMinioParentIsObject": blobstore.ErrInvalidKey, "XMinioObjectExistsAsDirectory": blobstore.ErrInvalidKey,
	"ObjectParentIsFile": blobstore.ErrInvalidKey,
	// versitygw removes folders that became empty; a put that makes its folder in the same moment loses the race and is told
	// this. No key of ours is a folder of another, so it is never the truth, and the same put succeeds when it is repeated.
	"ExistingObjectIsDirectory": blobstore.ErrUnavailable,
}

func statusKind(a minio.ErrorResponse) error {
	switch a.StatusCode {
	case http.StatusNotFound:
		if a.Key != "" || a.Code == "" {
			return blobstore.ErrNotFound
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		return blobstore.ErrForbidden
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return blobstore.ErrThrottled
	case http.StatusInsufficientStorage:
		return blobstore.ErrFull
	case http.StatusRequestedRangeNotSatisfiable:
		return blobstore.ErrRange
	case http.StatusRequestEntityTooLarge:
		return blobstore.ErrTooLarge
	}
	return blobstore.ErrUnavailable
}

// code returns the S3 code of an answer, or "".
func code(err error) string {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}
