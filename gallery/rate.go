package gallery

import (
	"fmt"
	"strings"
)

// Rate is a number of bytes per second, as an interface counts them.
type Rate int64

// The bounds of a limit. Below the smallest a frame would take longer than a source may be silent.
const (
	MinRate Rate = 64 << 10
	MaxRate Rate = 1 << 40
)

// rateUnits are the units of ParseRate: numerator and denominator of bytes per second.
var rateUnits = []struct {
	text     string
	num, den int64
}{
	{"kbit/s", 1e3, 8}, {"Mbit/s", 1e6, 8}, {"Gbit/s", 1e9, 8}, {"bit/s", 1, 8},
	{"kB/s", 1e3, 1}, {"MB/s", 1e6, 1}, {"GB/s", 1e9, 1},
	{"KiB/s", 1 << 10, 1}, {"MiB/s", 1 << 20, 1}, {"GiB/s", 1 << 30, 1}, {"B/s", 1, 1},
}

const rateForm = "a number with one of the units kbit/s, Mbit/s, Gbit/s, kB/s, MB/s, GB/s, KiB/s, MiB/s, GiB/s, such as 100Mbit/s"

// ParseRate reads a rate such as 100Mbit/s, 12.5MB/s or 10MiB/s: digits, with at most six after a point, and a unit, as it is written here, right
// after them. A fraction of a byte is dropped. Whether the rate may be a limit is Validate's to say. Errors are ErrInvalid for field "rate".
func ParseRate(s string) (Rate, error) {
	for _, u := range rateUnits {
		number, ok := strings.CutSuffix(s, u.text)
		if !ok {
			continue
		}
		millionths, ok := parseMillionths(number)
		if !ok {
			break
		}
		// The whole part and the rest are multiplied apart, so that nothing overflows.
		whole, rest := millionths/1e6, millionths%1e6
		if whole > int64(MaxRate)*u.den/u.num {
			return 0, rateBounds()
		}
		return Rate((whole*u.num + rest*u.num/1e6) / u.den), nil
	}
	if len(s) > 40 {
		s = s[:40]
	}
	return 0, invalid("rate", "%q: must be %s", s, rateForm)
}

// parseMillionths reads at most twelve digits, and at most six after a point: below 10^18.
func parseMillionths(s string) (int64, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || len(whole) > 12 || point && fraction == "" || len(fraction) > 6 {
		return 0, false
	}
	var n int64
	for _, c := range []byte(whole + fraction + strings.Repeat("0", 6-len(fraction))) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// Validate says whether a limit may have this rate. Zero has no meaning here: its error says what to do instead.
func (r Rate) Validate() error {
	switch {
	case r == 0:
		return invalid("rate", "0 is no limit: pause versions to stop their copies, remove the limit to lift it")
	case r < MinRate || r > MaxRate:
		return rateBounds()
	}
	return nil
}

func rateBounds() error {
	return invalid("rate", "must be at least %s (%d bytes/s) and at most %s", MinRate, int64(MinRate), MaxRate)
}

// String writes the rate in decimal bytes, or in binary ones where that is exact: 12.5 MB/s, 10 MiB/s.
func (r Rate) String() string {
	for _, u := range []struct {
		unit int64
		text string
	}{{1 << 40, "TiB/s"}, {1 << 30, "GiB/s"}, {1 << 20, "MiB/s"}, {1 << 10, "KiB/s"}} {
		if int64(r) >= u.unit && int64(r)%u.unit == 0 {
			return fmt.Sprintf("%d %s", int64(r)/u.unit, u.text)
		}
	}
	unit, text := int64(1), "B/s"
	for _, u := range []struct {
		unit int64
		text string
	}{{1e9, "GB/s"}, {1e6, "MB/s"}, {1e3, "kB/s"}} {
		if int64(r) >= u.unit {
			unit, text = u.unit, u.text
			break
		}
	}
	whole, rest := int64(r)/unit, int64(r)%unit
	if rest == 0 {
		return fmt.Sprintf("%d %s", whole, text)
	}
	digits := strings.TrimRight(fmt.Sprintf("%09d", rest*(1e9/unit)), "0")
	return fmt.Sprintf("%d.%s %s", whole, digits[:min(3, len(digits))], text)
}
