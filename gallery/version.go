package gallery

import (
	"cmp"
	"strconv"
	"strings"
)

// MaxVersionPart is the largest value of each part of a version.
const MaxVersionPart = 1<<31 - 1

const ruleVersion = "Major.Minor.Patch, three decimal integers of 0 to 2147483647 without sign, prefix, suffix or leading zeros"

// Version is the name of an image version. Versions are ordered by number, never by text or date.
type Version struct {
	Major uint32 `cbor:"1,keyasint,omitempty"`
	Minor uint32 `cbor:"2,keyasint,omitempty"`
	Patch uint32 `cbor:"3,keyasint,omitempty"`
}

// ParseVersion reads Major.Minor.Patch. Leading zeros are refused, so that every version has one spelling.
func ParseVersion(s string) (Version, error) {
	var part [3]uint32
	fields := strings.SplitN(s, ".", 4)
	if len(fields) != 3 {
		return Version{}, invalid("version", ruleVersion)
	}
	for i, f := range fields {
		n, ok := parseVersionPart(f)
		if !ok {
			return Version{}, invalid("version", ruleVersion)
		}
		part[i] = n
	}
	return Version{part[0], part[1], part[2]}, nil
}

func parseVersionPart(s string) (uint32, bool) {
	if s == "" || len(s) > 10 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n <= MaxVersionPart
}

// String writes what ParseVersion reads.
func (v Version) String() string {
	b := strconv.AppendUint(make([]byte, 0, 32), uint64(v.Major), 10)
	b = strconv.AppendUint(append(b, '.'), uint64(v.Minor), 10)
	b = strconv.AppendUint(append(b, '.'), uint64(v.Patch), 10)
	return string(b)
}

// Compare orders versions by Major, then Minor, then Patch.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor), cmp.Compare(v.Patch, o.Patch))
}

// Valid says whether every part is within its bound.
func (v Version) Valid() bool { return max(v.Major, v.Minor, v.Patch) <= MaxVersionPart }

// MarshalText writes what String returns.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what ParseVersion reads.
func (v *Version) UnmarshalText(b []byte) error {
	p, err := ParseVersion(string(b))
	if err != nil {
		return err
	}
	*v = p
	return nil
}
