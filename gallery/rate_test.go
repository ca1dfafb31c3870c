package gallery

import (
	"errors"
	"testing"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"100Mbit/s": 12_500_000, "12.5MB/s": 12_500_000, "10MiB/s": 10 << 20, "1Gbit/s": 125_000_000, "65536B/s": 65536, "0.5GB/s": 500_000_000,
		"8bit/s": 1, "7bit/s": 0, "0Mbit/s": 0, "0.000001MB/s": 1, "1.25GiB/s": 5 << 28, "1099GB/s": 1_099_000_000_000, "007kB/s": 7000,
	} {
		if got, err := ParseRate(text); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "100", "Mbit/s", "100 Mbit/s", "100mbit/s", "100Mb/s", "-1MB/s", "+1MB/s", "1e3MB/s", ".5MB/s", "5.MB/s", "1,5MB/s", "1.0000001MB/s",
		"NaNMB/s", "infMB/s", "0x10MB/s", "1_000MB/s", "1MB/s ", "1MB", "1MB/min", "9999999999999GB/s", "999999999999GB/s", "1.5.5MB/s", "1MB/sMB/s"} {
		if got, err := ParseRate(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %d, %v; want it refused", text, got, err)
		}
	}
}

func TestRateBounds(t *testing.T) {
	for r, ok := range map[Rate]bool{0: false, -1: false, MinRate - 1: false, MinRate: true, MaxRate: true, MaxRate + 1: false} {
		if err := r.Validate(); (err == nil) != ok {
			t.Errorf("%d: %v", r, err)
		}
	}
}

func TestRateText(t *testing.T) {
	for r, want := range map[Rate]string{12_500_000: "12.5 MB/s", 10 << 20: "10 MiB/s", 125_000_000: "125 MB/s", 999: "999 B/s", 65536: "64 KiB/s", 1_234_567: "1.234 MB/s", 1_050_000: "1.05 MB/s"} {
		if got := r.String(); got != want {
			t.Errorf("%d: %s, want %s", int64(r), got, want)
		}
	}
}

func TestLimitKeys(t *testing.T) {
	const id = NodeID("aaaaaaaa-0000-4000-8000-000000000001")
	for text, k := range map[string]LimitKey{"a->b": {From: "a", To: "b"}, "a->*": {From: "a"}, "*->b": {To: "b"}, "node " + string(id) + "->*": {FromNode: id}, "*->node " + string(id): {ToNode: id}} {
		if err := k.Validate(); err != nil || k.String() != text {
			t.Errorf("%s: %q, %v", text, k.String(), err)
		}
	}
	for _, k := range []LimitKey{{}, {From: "a", To: "a"}, {From: "A"}, {From: "a", ToNode: id}, {FromNode: id, ToNode: id}, {FromNode: "x"}, {To: "a b"}} {
		if err := k.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", k, err)
		}
	}
}

// FuzzParseRate holds that what is read is a rate that is written again as one, or is refused.
func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"100Mbit/s", "12.5MB/s", "0", "999999999999GB/s", "7bit/s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRate(s)
		if err != nil && !errors.Is(err, ErrInvalid) || err == nil && r < 0 {
			t.Errorf("%q: %d, %v", s, r, err)
		}
	})
}
