package authn

import (
	"errors"
	"testing"
)

func TestTokenRoundTrip(t *testing.T) {
	text, hash := NewToken("6f1e7d0c-0000-4000-8000-000000000001")
	id, got, err := ParseToken(text)
	if err != nil || id != "6f1e7d0c-0000-4000-8000-000000000001" || got != hash {
		t.Fatalf("ParseToken = %q, %x, %v; want the hash %x", id, got, err, hash)
	}
	other, _ := NewToken(id)
	if other == text {
		t.Fatal("two tokens are equal")
	}
	if _, _, err := ParseToken(text + "\n"); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a token with a line end after it: %v, want ErrMalformed", err)
	}
}

func FuzzParseToken(f *testing.F) {
	text, _ := NewToken("id")
	for _, s := range []string{"", text, text[:len(text)-1], text + "A", text[:len(text)-1] + "\n" + text[len(text)-1:], "loggia-token.", "loggia-token.a.", "Bearer x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, hash, err := ParseToken(s)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("error %v is not typed", err)
		}
		if err == nil && (id == "" || hash.IsZero()) {
			t.Fatalf("ParseToken(%q) = %q, %x without an error", s, id, hash)
		}
	})
}
