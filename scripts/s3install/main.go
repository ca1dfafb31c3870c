// Command s3install builds the S3 servers of the tests where they are missing, and says so.
package main

import (
	"context"
	"fmt"
	"os"

	"loggia/testing/s3servers"
)

func main() {
	for _, kind := range s3servers.Kinds() {
		if _, err := s3servers.Install(context.Background(), kind, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "s3install:", err)
			os.Exit(1)
		}
	}
}
