package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"loggia/blobstore"
)

func testPutGet(t *testing.T, s blobstore.Store) {
	for _, key := range []string{"a", "b/c", "b/d/e.f-g_h", ".tmp/x", "...", "0", strings.Repeat("k", blobstore.MaxSegment),
		strings.Repeat("s/", 100) + "deep"} {
		want := content(key, 1000+len(key))
		put(t, s, key, want)
		wantContent(t, s, key, want)
	}
}

func testOverwrite(t *testing.T, s blobstore.Store) {
	data := content("same", 100_000)
	for range 3 {
		put(t, s, "d/same", data)
		wantContent(t, s, "d/same", data)
	}
	if got := list(t, s, "", ""); len(got) != 1 {
		t.Errorf("list shows %q, want one object", got)
	}
}

func testRanges(t *testing.T, s blobstore.Store) {
	const size = 300_000
	data := content("ranges", size)
	put(t, s, "r", data)
	rng := random(t)
	ranges := [][2]int64{{0, 0}, {0, 1}, {0, size}, {0, -1}, {size - 1, 1}, {size - 1, -1}, {size, 0}, {size, -1},
		{1, size - 1}, {1, 0}, {65_536, 65_536}, {size / 2, -1}}
	for range 10 {
		off := rng.Int64N(size)
		ranges = append(ranges, [2]int64{off, rng.Int64N(size - off + 1)})
	}
	for _, r := range ranges {
		off, n := r[0], r[1]
		want := data[off:]
		if n >= 0 {
			want = want[:n]
		}
		got, err := read(within(t), s, "r", off, n)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("get %d bytes at %d: got %d bytes, %v; want %d", n, off, len(got), err, len(want))
		}
	}
	t.Run("CloseEarly", func(t *testing.T) { closeEarly(t, s, data) })
}

// closeEarly leaves bodies half read: that is no error, and the store goes on.
func closeEarly(t *testing.T, s blobstore.Store, data []byte) {
	for range 5 {
		r, err := s.Get(within(t), "r", 10, -1)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		if _, err := io.ReadFull(r, buf); err != nil || !bytes.Equal(buf, data[10:110]) {
			t.Fatalf("first bytes: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Fatalf("close early: %v", err)
		}
	}
	wantContent(t, s, "r", data)
}

func testRangesOutside(t *testing.T, s blobstore.Store) {
	put(t, s, "r", content("r", 1000))
	put(t, s, "empty", nil)
	for _, c := range []struct {
		key    string
		off, n int64
	}{
		{"r", 1001, -1}, {"r", 1001, 0}, {"r", 1000, 1}, {"r", 999, 2}, {"r", 0, 1001}, {"r", 5000, 10},
		{"r", -1, 10}, {"r", 1, 1 << 62}, {"empty", 0, 1}, {"empty", 1, -1}, {"empty", 1, 0},
	} {
		_, err := read(within(t), s, c.key, c.off, c.n)
		wantError(t, fmt.Sprintf("get %s, %d bytes at %d", c.key, c.n, c.off), err, blobstore.ErrRange)
	}
}

func testNotFound(t *testing.T, s blobstore.Store) {
	put(t, s, "here/object", content("x", 10))
	for _, key := range []string{"absent", "here", "here/absent", "not/here/at/all"} {
		for _, r := range [][2]int64{{0, -1}, {0, 10}, {5, -1}, {0, 0}} {
			_, err := read(within(t), s, key, r[0], r[1])
			wantError(t, "get "+key, err, blobstore.ErrNotFound)
		}
		_, err := s.Stat(within(t), key)
		wantError(t, "stat "+key, err, blobstore.ErrNotFound)
	}
}

func testInvalidKeys(t *testing.T, s blobstore.Store) {
	ctx := within(t)
	for _, key := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/./b", "A", "a b", "ü", "a\x00", "a\\b", "a?b",
		"a%2fb", strings.Repeat("a", blobstore.MaxSegment+1), strings.Repeat("a/", blobstore.MaxKey/2) + "a"} {
		wantError(t, fmt.Sprintf("put %q", key), s.Put(ctx, key, nil), blobstore.ErrInvalidKey)
		_, err := s.Get(ctx, key, 0, -1)
		wantError(t, fmt.Sprintf("get %q", key), err, blobstore.ErrInvalidKey)
		_, err = s.Stat(ctx, key)
		wantError(t, fmt.Sprintf("stat %q", key), err, blobstore.ErrInvalidKey)
		wantError(t, fmt.Sprintf("delete %q", key), s.Delete(ctx, key), blobstore.ErrInvalidKey)
		if c, ok := s.(blobstore.Copier); ok && blobstore.CanCopy(s) {
			wantError(t, fmt.Sprintf("copy to %q", key), c.Copy(ctx, "a", key), blobstore.ErrInvalidKey)
			wantError(t, fmt.Sprintf("copy from %q", key), c.Copy(ctx, key, "a"), blobstore.ErrInvalidKey)
		}
	}
	if got := list(t, s, "", ""); len(got) != 0 {
		t.Errorf("list shows %q, want nothing", got)
	}
}

func testSizes(t *testing.T, s blobstore.Store) {
	for _, n := range []int{0, 1, 4095, 4096, 1 << 20, 5<<20 + 1, blobstore.MaxObject} {
		data := content("size", n)
		put(t, s, keyf("size-%d", n), data)
		wantContent(t, s, keyf("size-%d", n), data)
		info, err := s.Stat(within(t), keyf("size-%d", n))
		if err != nil || info.Size != int64(n) {
			t.Errorf("stat: got %d bytes, %v; want %d", info.Size, err, n)
		}
	}
	wantError(t, "put of too much", s.Put(within(t), "big", make([]byte, blobstore.MaxObject+1)), blobstore.ErrTooLarge)
	_, err := s.Stat(within(t), "big")
	wantError(t, "stat after a put of too much", err, blobstore.ErrNotFound)
}

func testNoReference(t *testing.T, s blobstore.Store) {
	buf := content("buffer", 1<<20)
	want := bytes.Clone(buf)
	put(t, s, "x", buf)
	clear(buf)
	wantContent(t, s, "x", want)
}

func testStat(t *testing.T, s blobstore.Store) {
	put(t, s, "a/b", content("x", 1234))
	info, err := s.Stat(within(t), "a/b")
	if err != nil || info.Key != "a/b" || info.Size != 1234 {
		t.Fatalf("stat: got %+v, %v", info, err)
	}
	// The store's clock is this machine's or near it; S3 tells whole seconds.
	if age := time.Since(info.Modified); age < -time.Minute || age > 2*patience {
		t.Errorf("modified %v is %v ago", info.Modified, age)
	}
	err = s.List(within(t), "", "", func(i blobstore.Info) error {
		if i.Size != info.Size || i.Modified.Sub(info.Modified).Abs() > 2*time.Second {
			t.Errorf("list shows %+v, stat %+v", i, info)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func testDelete(t *testing.T, s blobstore.Store) {
	put(t, s, "d/one", content("1", 10))
	put(t, s, "d/two", content("2", 10))
	for range 2 {
		if err := s.Delete(within(t), "d/one"); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	for _, key := range []string{"never", "never/was", "d/one/below"} {
		if err := s.Delete(within(t), key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	_, err := s.Stat(within(t), "d/one")
	wantError(t, "stat after delete", err, blobstore.ErrNotFound)
	wantContent(t, s, "d/two", content("2", 10))
	put(t, s, "d/one", content("3", 20)) // the store itself does not mind; the caller never does this
	wantContent(t, s, "d/one", content("3", 20))
}

func testCopy(t *testing.T, s blobstore.Store) {
	if !blobstore.CanCopy(s) {
		wantError(t, "copy by a store that cannot", blobstore.Copy(within(t), s, "from", "to"), errors.ErrUnsupported)
		return
	}
	c := s.(blobstore.Copier)
	want := content("copy", 3<<20)
	put(t, s, "from/x", want)
	put(t, s, "empty", nil)
	for range 2 { // a copy may be repeated
		if err := c.Copy(within(t), "from/x", "to/y/z"); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Copy(within(t), "from/x", "from/x"); err != nil {
		t.Errorf("copy onto itself: %v", err)
	}
	if err := c.Copy(within(t), "empty", "empty-2"); err != nil {
		t.Errorf("copy of nothing: %v", err)
	}
	wantContent(t, s, "empty-2", nil)
	wantContent(t, s, "from/x", want)
	if err := s.Delete(within(t), "from/x"); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "to/y/z", want)
	wantError(t, "copy of nothing there", c.Copy(within(t), "absent", "other"), blobstore.ErrNotFound)
	_, err := s.Stat(within(t), "other")
	wantError(t, "stat after a failed copy", err, blobstore.ErrNotFound)
}

func testCapacity(t *testing.T, s blobstore.Store) {
	c, err := s.Capacity(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if c.Known && (c.Total <= 0 || c.Free < 0 || c.Free > c.Total) {
		t.Errorf("capacity %+v makes no sense", c)
	}
}
