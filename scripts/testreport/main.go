// Command testreport reads `go test -json` and shows what matters: a line per package, the output
// of what failed or was skipped, and as its last line "N passed, N failed, N skipped".
//
// It ends with 1 when a test failed, was skipped or could not be built, or when none ran.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	r := newReport(os.Stdout)
	if err := r.read(bufio.NewReader(os.Stdin)); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	r.finish()
	if !r.good() {
		os.Exit(1)
	}
}
