package azure

import (
	"net/url"
	"strings"

	"loggia/api/azure/fault"
)

// Bounds of a path (S5).
const (
	maxPath     = 2 << 10 // bytes
	maxSegments = 48
)

// splitPath decodes a path once, joins doubled slashes and returns its segments. Clients percent-encode whole scopes
// ("/%2Fsubscriptions%2F..."), double slashes and leave a trailing one; what is left after one decode is taken as it is.
func splitPath(raw string) ([]string, error) {
	if len(raw) > maxPath {
		return nil, fault.New(fault.InvalidParameter, "The path is longer than %d bytes.", maxPath)
	}
	p, err := url.PathUnescape(raw)
	if err != nil {
		return nil, fault.New(fault.InvalidParameter, "The path holds a malformed percent-encoding.")
	}
	var out []string
	for s := range strings.SplitSeq(p, "/") {
		switch {
		case s == "":
			continue
		case s == "." || s == ".." || strings.ContainsFunc(s, isControl):
			return nil, fault.New(fault.InvalidParameter, "The path holds a segment that names nothing.")
		case len(out) == maxSegments:
			return nil, fault.New(fault.InvalidParameter, "The path has more than %d segments.", maxSegments)
		}
		out = append(out, s)
	}
	return out, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == 0xfffd }
