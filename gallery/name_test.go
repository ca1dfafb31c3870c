package gallery

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 80)
	parse := map[string]func(string) error{
		"gallery": func(s string) error { _, err := ParseGalleryName(s); return err },
		"image":   func(s string) error { _, err := ParseImageName(s); return err },
		"region":  func(s string) error { _, err := ParseRegionName(s); return err },
		"version": func(s string) error { _, err := ParseVersion(s); return err },
	}
	for _, x := range []struct {
		what, name string
		ok         bool
	}{
		{"gallery", "g", true}, {"gallery", "My.Gallery_1", true}, {"gallery", long, true}, {"gallery", long + "a", false},
		{"gallery", "my-gallery", false}, {"gallery", "_g", false}, {"gallery", "g.", false}, {"gallery", "", false},
		{"gallery", "gä", false}, {"gallery", "a/b", false}, {"gallery", "a\x00", false},
		{"image", "debian-12", true}, {"image", "1", true}, {"image", "a-", false}, {"image", "a_", false}, {"image", "a.", false},
		{"image", "-a", false}, {"image", ".a", false}, {"image", long + "a", false}, {"image", "", false},
		{"region", "westus", true}, {"region", "West US", true}, {"region", "eu-north-1", true}, {"region", "1a", false},
		{"region", "-a", false}, {"region", "a_b", false}, {"region", strings.Repeat("a", 40), true}, {"region", strings.Repeat("a", 41), false},
		{"region", "", false}, {"region", "  ", false}, {"region", "käln", false}, {"region", strings.Repeat(" ", 100) + "a", false},
		{"version", "1.2.3", true}, {"version", "0.0.0", true}, {"version", "2147483647.2147483647.2147483647", true},
		{"version", "2147483648.0.0", false}, {"version", "99999999999.0.0", false}, {"version", "v1.2.3", false}, {"version", "1.2", false},
		{"version", "1.2.3.4", false}, {"version", "1.2.3-rc1", false}, {"version", "01.2.3", false}, {"version", "1.2.00", false},
		{"version", "+1.2.3", false}, {"version", "-1.2.3", false}, {"version", "1..3", false}, {"version", " 1.2.3", false},
		{"version", "1.2.٣", false}, {"version", "", false}, {"version", "latest", false},
	} {
		err := parse[x.what](x.name)
		if (err == nil) != x.ok {
			t.Errorf("%s %q: %v", x.what, x.name, err)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s %q: the error is no ErrInvalid: %v", x.what, x.name, err)
		}
	}
	if n, err := ParseRegionName("West  US 2"); err != nil || n != "westus2" {
		t.Errorf("got %q, %v", n, err)
	}
}

func TestVersionOrder(t *testing.T) {
	order := []string{"0.0.0", "0.0.9", "0.0.10", "0.2.0", "0.10.0", "1.0.0", "2.0.0", "10.0.0", "2147483647.0.0"}
	for i := range order {
		for j := range order {
			a, err := ParseVersion(order[i])
			if err != nil {
				t.Fatal(err)
			}
			b, err := ParseVersion(order[j])
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Compare(b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s against %s: %d", a, b, got)
			}
			if a.String() != order[i] {
				t.Errorf("%s reads back as %s", order[i], a)
			}
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add("1.2.3")
	f.Add("01.0.0")
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseVersion(s); err == nil && (v.String() != s || !v.Valid()) {
			t.Fatalf("%q reads back as %q", s, v)
		}
	})
}

func TestRefs(t *testing.T) {
	r, err := ParseVersionRef("s", "My.Gallery/debian/1.2.3")
	if err != nil || r.String() != "My.Gallery/debian/1.2.3" {
		t.Fatal(r, err)
	}
	other, err := ParseVersionRef("s", "my.gallery/Debian/1.2.3")
	if err != nil || r == other || r.Fold() != other.Fold() {
		t.Fatal(other, err)
	}
	for _, bad := range []string{"", "g", "g/i", "g/i/latest", "g//1.0.0", "/i/1.0.0", "g/i/x/1.0.0", "g-1/i/1.0.0"} {
		if _, err := ParseVersionRef("s", bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestValidID(t *testing.T) {
	for s, want := range map[string]bool{"aaaaaaaa-0000-4000-8000-000000000001": true, "AAAAAAAA-0000-4000-8000-000000000001": false,
		"aaaaaaaa00004000800000000000000100000": false, "": false, "aaaaaaaa-0000-4000-8000-00000000000g": false} {
		if ValidID(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

func TestErrorOnTheWire(t *testing.T) {
	in := &Error{Kind: ErrStaleClaim, Op: "complete", Resource: "r", Field: "f", Message: "m", Err: errors.New("cause")}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out Error
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	for _, k := range []Kind{ErrStaleClaim, ErrConflict} {
		if !errors.Is(&out, k) {
			t.Errorf("not %s", k)
		}
	}
	if errors.Is(&out, ErrNotFound) || errors.Is(&out, ErrInUse) || out.Error() != in.Error() || KindOf(&out) != ErrStaleClaim {
		t.Errorf("got %v", &out)
	}
	if KindOf(nil) != "" || KindOf(errors.New("x")) != ErrInternal || KindOf(ErrLimit) != ErrLimit {
		t.Error("KindOf")
	}
}
