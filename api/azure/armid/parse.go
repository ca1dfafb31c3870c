package armid

import (
	"fmt"
	"net/url"
	"strings"

	"loggia/gallery"
)

// Bounds of an id.
const (
	MaxLength = 2048 // bytes, decoded
	MaxDepth  = 40   // segments; the deepest that clients send have about 16
)

// Parse reads the path of a request as it was sent, percent-encoding included (url.URL.EscapedPath). It decodes once.
//
// An encoded slash is refused, but for the first segment: clients of locks encode a whole scope there.
// Errors are *gallery.Error: ErrInvalid for what no id can be, ErrNotFound for a path that begins with no known word.
func Parse(rawPath string) (ID, error) {
	if len(rawPath) > 3*MaxLength {
		return ID{}, invalid(fmt.Sprintf("at most %d bytes", MaxLength))
	}
	if encodedSlash(rawPath) {
		return ID{}, invalid("no encoded slash in a name")
	}
	plain, err := url.PathUnescape(rawPath)
	if err != nil {
		return ID{}, invalid("percent signs are followed by two hexadecimal digits")
	}
	return ParseID(plain)
}

// encodedSlash says whether a slash is encoded behind the first segment.
func encodedSlash(rawPath string) bool {
	_, rest, _ := strings.Cut(strings.TrimLeft(rawPath, "/"), "/")
	return strings.Contains(rest, "%2F") || strings.Contains(rest, "%2f")
}

// ParseID reads an id as it stands in a body: nothing in it is encoded. Its errors are those of Parse.
func ParseID(id string) (ID, error) {
	if len(id) > MaxLength {
		return ID{}, invalid(fmt.Sprintf("at most %d bytes", MaxLength))
	}
	if id == "" || id[0] != '/' {
		return ID{}, invalid("begins with a slash")
	}
	parts, err := split(id)
	if err != nil {
		return ID{}, err
	}
	if err := canonicalize(parts); err != nil {
		return ID{}, err
	}
	return newID(parts), nil
}

// split cuts an id into its segments. Empty ones do not count.
func split(id string) ([]string, error) {
	var parts []string
	for s := range strings.SplitSeq(id, "/") {
		if s == "" {
			continue
		}
		if len(parts) == MaxDepth {
			return nil, invalid(fmt.Sprintf("at most %d segments", MaxDepth))
		}
		if !validSegment(s) {
			return nil, invalid(ruleSegment)
		}
		parts = append(parts, s)
	}
	return parts, nil
}

// validSegment says whether s can be a segment. What it refuses could be read in two ways by someone behind us, or is in no name.
func validSegment(s string) bool {
	if s == "." || s == ".." || s[0] == ' ' || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~', c == '%', c == '\\', c == '?', c == '#', c == '*':
			return false
		}
	}
	return true
}

// canonicalize gives the static parts their spelling in place, and checks what stands where.
func canonicalize(parts []string) error {
	if len(parts) == 0 {
		return nil
	}
	root, ok := roots[fold(parts[0])]
	if !ok {
		return &gallery.Error{Kind: gallery.ErrNotFound, Field: "id", Message: "begins with subscriptions, providers or tenants"}
	}
	parts[0] = root
	for i := 2; i < len(parts); i += 2 {
		parts[i] = spellType(root, parts[i])
	}
	for i := 0; i < len(parts)-1; i += 2 {
		if beginsBlock(parts[i:]) && parts[i+2] == segProviders {
			return invalid("a type follows each provider's namespace")
		}
		name := spellName(parts[i], parts[i+1])
		if !validSegment(name) {
			return invalid(ruleSegment)
		}
		parts[i+1] = name
	}
	return nil
}

const ruleSegment = "segments of printable ASCII without % \\ ? # * and blanks at their ends, none of them . or .."

func invalid(rule string) error {
	return &gallery.Error{Kind: gallery.ErrInvalid, Field: "id", Message: rule}
}
