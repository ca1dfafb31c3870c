package bulk

import (
	"bufio"
	"net"
)

// readAhead is how many bytes a connection takes from the kernel at once. TLS asks for a record at a time, and some services send
// records of 4 KiB: most of what reading them costs is to be asked so often. More than 64 KiB gained nothing.
const readAhead = 64 << 10

// ahead is a connection that is read in larger parts than it is asked for.
type ahead struct {
	net.Conn
	buffered *bufio.Reader
}

func newAhead(c net.Conn) *ahead { return &ahead{c, bufio.NewReaderSize(c, readAhead)} }

// Read implements net.Conn.
func (a *ahead) Read(b []byte) (int, error) { return a.buffered.Read(b) }
