package membership

import (
	"errors"
	"strings"
	"testing"

	"loggia/internal/digest"
)

func sample() Token {
	t := Token{CA: digest.Of([]byte("ca")), ID: "6f1e7d0c-0000-4000-8000-000000000001"}
	for i := range t.Secret {
		t.Secret[i] = byte(i)
	}
	return t
}

func TestTokenRoundTrip(t *testing.T) {
	s, err := sample().Format()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Parse(s); err != nil || back != sample() {
		t.Fatalf("Parse = %+v, %v", back, err)
	}
	for i := len(prefix); i < len(s); i++ {
		c := byte('A')
		if s[i] == c {
			c = 'B'
		}
		if _, err := Parse(s[:i] + string(c) + s[i+1:]); !errors.Is(err, ErrToken) {
			t.Fatalf("character %d changed: error %v, want ErrToken", i, err)
		}
	}
	if _, err := (Token{ID: "x"}).Format(); !errors.Is(err, ErrToken) {
		t.Fatalf("Format of a bad id: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	s, _ := sample().Format()
	for _, in := range []string{"", s, s[:20], "loggia1.", s + "A"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		tok, err := Parse(in)
		if err != nil {
			if !errors.Is(err, ErrToken) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if out, err := tok.Format(); err != nil || out != in {
			t.Fatalf("Format(Parse(%q)) = %q, %v", in, out, err)
		}
	})
}

// The text of a token is a format of ours: it stays what it is.
const golden = "loggia1.aVkJcAHRBQGsfVTAvbjbYUIPZY8pIswm5G1TYRmjESZvHn0MAABAAIAAAAAAAAABAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9bHMNX"

func TestTokenText(t *testing.T) {
	s, err := sample().Format()
	if err != nil {
		t.Fatal(err)
	}
	if s != golden {
		t.Errorf("token %q, want %q", s, golden)
	}
	if h := sample().Hash().String(); h != "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd" {
		t.Errorf("hash of the secret is %s", h)
	}
}

func TestTextThatIsNoToken(t *testing.T) {
	s, _ := sample().Format()
	for name, in := range map[string]string{
		"nothing":       "",
		"no prefix":     s[len(prefix):],
		"a later kind":  "loggia2." + s[len(prefix):],
		"cut":           s[:len(s)-5],
		"a space":       s + " ",
		"padding":       s + "=",
		"other base64":  prefix + strings.Repeat("+", len(s)-len(prefix)),
		"line ends":     s[:len(s)-2] + "\r\n", // which a base64 decoder passes over
		"mistyped once": s[:len(s)-9] + "x" + s[len(s)-8:],
	} {
		if _, err := Parse(in); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v, want ErrToken", name, err)
		}
	}
}
