package s3servers

import (
	"context"
	"fmt"
	"io"

	"loggia/testing/gotools"
)

// Kind names a server.
type Kind string

// The servers. Both are built from the Go module proxy.
const (
	VersityGW Kind = "versitygw"
	MinIO     Kind = "minio"
)

// Kinds lists every server, for tests that run on all of them.
func Kinds() []Kind { return []Kind{VersityGW, MinIO} }

// pkg is what `go install` is given. MinIO is pinned to its last commit that builds this way.
func (k Kind) pkg() (string, error) {
	switch k {
	case VersityGW:
		return "github.com/versity/versitygw/cmd/versitygw@v1.8.0", nil
	case MinIO:
		return "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c", nil
	}
	return "", fmt.Errorf("unknown S3 server %q", k)
}

// Install returns the path of the server's binary, and builds it first where it is missing, saying
// so on progress.
func Install(ctx context.Context, kind Kind, progress io.Writer) (string, error) {
	pkg, err := kind.pkg()
	if err != nil {
		return "", err
	}
	return gotools.Install(ctx, pkg, progress)
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
