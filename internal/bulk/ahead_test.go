package bulk

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// counted counts how often it is read, and gives at most so many bytes each time.
type counted struct {
	net.Conn
	r     io.Reader
	most  int
	reads int
}

func (c *counted) Read(b []byte) (int, error) {
	c.reads++
	return c.r.Read(b[:min(len(b), c.most)])
}

func TestAhead(t *testing.T) {
	data := bytes.Repeat([]byte("some bytes "), 100_000)
	for _, tc := range []struct {
		name  string
		most  int // that the kernel has each time
		reads int
	}{
		{"much is there", len(data), len(data)/readAhead + 2}, // the last of them is the end
		{"little is there", 1000, len(data)/1000 + 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &counted{r: bytes.NewReader(data), most: tc.most}
			got, a := []byte{}, newAhead(c)
			for b := make([]byte, 4096); ; {
				n, err := a.Read(b) // as TLS reads
				got = append(got, b[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					t.Fatal("no byte, no error")
				}
			}
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes of %d, or others", len(got), len(data))
			}
			if c.reads > tc.reads {
				t.Errorf("read %d times, want %d at most", c.reads, tc.reads)
			}
		})
	}
}

// TestAheadWaitsForNothing reads what came of a longer answer: the rest may never come.
func TestAheadWaitsForNothing(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go func() { _, _ = there.Write([]byte("first")) }()
	b := make([]byte, 4096)
	if n, err := newAhead(here).Read(b); err != nil || string(b[:n]) != "first" {
		t.Errorf("got %q, %v", b[:n], err)
	}
}
