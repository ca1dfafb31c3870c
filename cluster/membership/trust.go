package membership

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"loggia/internal/digest"
)

// ErrUntrusted is returned where the other side is not of the token's cluster.
var ErrUntrusted = errors.New("not the cluster that the join token names")

// Trust returns a TLS configuration that accepts only a server whose chain ends in the CA with
// that hash: the server shows its CA beside its own certificate.
func Trust(ca digest.Digest, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // what follows verifies instead: the CA is known by its hash only
		VerifyConnection: func(s tls.ConnectionState) error {
			roots := x509.NewCertPool()
			found := false
			for _, c := range s.PeerCertificates {
				if c.IsCA && digest.Of(c.Raw) == ca {
					roots.AddCert(c)
					found = true
				}
			}
			if !found {
				return fmt.Errorf("%w: it does not show the CA with hash %s", ErrUntrusted, ca.Short())
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
			if err != nil {
				return fmt.Errorf("%w: %w", ErrUntrusted, err)
			}
			return nil
		},
	}
}
