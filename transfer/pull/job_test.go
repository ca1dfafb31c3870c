package pull

import "testing"

func TestSourceLimit(t *testing.T) {
	for _, c := range []struct{ wire, plain, want int64 }{
		{0, 0, jobStored},             // nothing came yet
		{5 << 20, 5 << 20, jobStored}, // does not compress
		{6 << 20, 5 << 20, jobStored}, // more came than was wanted
		{10 << 20, 15 << 20, 24 << 20},
		{10 << 20, 30 << 20, jobPlain},
		{1, 1 << 50, jobPlain},
	} {
		if got := sourceLimit(c.wire, c.plain); got != c.want {
			t.Errorf("%d bytes for %d: %d, want %d", c.wire, c.plain, got, c.want)
		}
	}
}
