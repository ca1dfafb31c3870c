package digest

import (
	"errors"
	"strings"
	"testing"
)

func TestTextRoundTrip(t *testing.T) {
	d := Of([]byte("abc"))
	if got, want := d.String(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Fatalf("Of(abc) = %s, want %s (FIPS 180-4)", got, want)
	}
	back, err := Parse(d.String())
	if err != nil || back != d {
		t.Fatalf("Parse(%s) = %s, %v", d, back, err)
	}
	var zero Digest
	text, _ := zero.MarshalText()
	if err := back.UnmarshalText(text); err != nil || !back.IsZero() {
		t.Fatalf("zero digest came back as %s, %v", back, err)
	}
}

func TestParseRefuses(t *testing.T) {
	good := Of(nil).String()
	for _, s := range []string{"", "ab", good[:63], good + "0", strings.ToUpper(good), strings.Repeat("g", 64)} {
		if _, err := Parse(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("Parse(%q): error %v, want ErrInvalid", s, err)
		}
	}
	if _, err := FromBytes(make([]byte, 31)); !errors.Is(err, ErrInvalid) {
		t.Errorf("FromBytes(31 bytes): error %v, want ErrInvalid", err)
	}
}
