package blobstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestExactly(t *testing.T) {
	for _, c := range []struct {
		name string
		body string
		n    int64
		want error
	}{
		{"equal", "hello", 5, nil},
		{"empty", "", 0, nil},
		{"short", "hell", 5, ErrDamaged},
		{"long", "hello!", 5, ErrDamaged},
		{"long for nothing", "!", 0, ErrDamaged},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader} {
			r := Exactly(io.NopCloser(wrap(strings.NewReader(c.body))), c.n)
			got, err := io.ReadAll(r)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%s: got %q, %v; want %v", c.name, got, err, c.want)
			}
			if int64(len(got)) > c.n || !strings.HasPrefix(c.body, string(got)) {
				t.Errorf("%s: got %q beyond %d bytes of %q", c.name, got, c.n, c.body)
			}
			if _, again := r.Read(make([]byte, 1)); err != nil && !errors.Is(again, c.want) {
				t.Errorf("%s: later read: %v, want %v again", c.name, again, c.want)
			}
		}
	}
}

func TestExactlyKeepsOtherErrors(t *testing.T) {
	cut := errors.New("cut")
	r := Exactly(io.NopCloser(io.MultiReader(bytes.NewReader([]byte("ab")), iotest.ErrReader(cut))), 5)
	got, err := io.ReadAll(r)
	if string(got) != "ab" || !errors.Is(err, cut) {
		t.Fatalf("got %q, %v; want ab, cut", got, err)
	}
}

func TestCheckRange(t *testing.T) {
	for _, c := range []struct {
		off, n, size, want int64
		ok                 bool
	}{
		{0, -1, 10, 10, true}, {3, -1, 10, 7, true}, {10, -1, 10, 0, true}, {10, 0, 10, 0, true},
		{0, 10, 10, 10, true}, {9, 1, 10, 1, true}, {0, 0, 0, 0, true},
		{0, 11, 10, 0, false}, {11, -1, 10, 0, false}, {11, 0, 10, 0, false}, {-1, 1, 10, 0, false},
		{10, 1, 10, 0, false}, {5, 1<<63 - 1, 10, 0, false},
	} {
		got, err := CheckRange(c.off, c.n, c.size)
		if got != c.want || (err == nil) != c.ok || err != nil && !errors.Is(err, ErrRange) {
			t.Errorf("off %d n %d size %d: got %d, %v; want %d, ok %v", c.off, c.n, c.size, got, err, c.want, c.ok)
		}
	}
}

func TestCheckKey(t *testing.T) {
	for _, key := range []string{"a", "a/b", "loggia.json", "0.9_-", ".tmp/x", "...", strings.Repeat("a", 255),
		strings.Repeat("a", 255) + "/" + strings.Repeat("b", 255)} {
		if err := CheckKey(key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for _, key := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "A", "a b", "ä", "a\\b", "a\x00",
		"a:b", strings.Repeat("a", 256), strings.Repeat("a/", 256) + "a"} {
		if err := CheckKey(key); !errors.Is(err, ErrInvalidKey) {
			t.Errorf("%q: got %v, want ErrInvalidKey", key, err)
		}
	}
	if err := CheckPut("a", MaxObject); err != nil {
		t.Error(err)
	}
	if err := CheckPut("a", MaxObject+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestPossiblePrefix(t *testing.T) {
	for _, p := range []string{"", "a", "a/", "a/b", "a/.", "a/..", ".", ".."} {
		if !PossiblePrefix(p) {
			t.Errorf("%q refused", p)
		}
	}
	for _, p := range []string{"/", "a//", "../a", "a/../", "A", "ä", "a/b c", strings.Repeat("a", 256), strings.Repeat("a/", 257)} {
		if PossiblePrefix(p) {
			t.Errorf("%q accepted", p)
		}
	}
}

func TestKindOf(t *testing.T) {
	for err, want := range map[error]Kind{
		nil:                            KindOK,
		fmt.Errorf("put: %w", ErrFull): KindFull,
		fmt.Errorf("%w: %w", ErrThrottled, ErrUnavailable): KindThrottled,
		io.ErrUnexpectedEOF: KindOther,
	} {
		if got := KindOf(err); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
}
