package rbac

import (
	"strings"

	"loggia/gallery"
)

// Root is the scope above every subscription of every tenant.
const Root = "/"

// Bounds of a scope.
const (
	MaxScope    = 2048 // bytes
	maxSegments = 64
)

const ruleScope = "/, a subscription, a resource group or a resource; there are no management groups"

// Covers says whether scope is resource or stands above it: rights on a gallery reach its definitions and their
// versions, rights on a definition reach its versions and not the gallery. Borders are those of segments.
func Covers(scope, resource string) bool {
	return wellFormed(resource) && covers(scope, resource)
}

// covers is Covers for a resource that is known to be well formed. A scope that is not covers nothing then: it would
// have to be a prefix that ends at a segment's border.
func covers(scope, resource string) bool {
	if scope == Root {
		return true
	}
	if scope == "" || !hasPrefixFold(resource, scope) {
		return false
	}
	return len(resource) == len(scope) || resource[len(scope)] == '/'
}

// wellFormed says whether s is an absolute path of names in canonical form: no empty, "." or ".." segment, no slash at
// the end, nothing encoded, no control characters, no wildcards.
func wellFormed(s string) bool {
	if s == Root {
		return true
	}
	if s == "" || s[0] != '/' || len(s) > MaxScope || strings.Count(s, "/") > maxSegments {
		return false
	}
	for rest := s[1:]; ; {
		segment, after, more := strings.Cut(rest, "/")
		if !wellFormedSegment(segment) {
			return false
		}
		if !more {
			return true
		}
		rest = after
	}
}

func wellFormedSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
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

// ValidateScope checks the scope of an assignment: the root, a subscription, a resource group, or a resource of either.
func ValidateScope(scope string) error {
	if len(scope) > MaxScope {
		return invalid("scope", "at most %d bytes", MaxScope)
	}
	if !wellFormed(scope) || !scopeShape(scope) {
		return invalid("scope", ruleScope)
	}
	return nil
}

// scopeShape says whether a well-formed path is /subscriptions/{uuid}[/resourceGroups/{name}] followed by any number of
// /providers/{namespace} with one or more /{type}/{name}; or the root.
func scopeShape(scope string) bool {
	if scope == Root {
		return true
	}
	s := strings.Split(scope[1:], "/")
	if len(s) < 2 || !equalFold(s[0], "subscriptions") || !gallery.ValidID(strings.ToLower(s[1])) {
		return false
	}
	s = s[2:]
	if len(s) >= 2 && equalFold(s[0], "resourceGroups") {
		if len(s[1]) > gallery.MaxGroupName {
			return false
		}
		s = s[2:]
	}
	for len(s) > 0 {
		if len(s) < 4 || !equalFold(s[0], "providers") {
			return false
		}
		s = s[2:]
		pairs := 0
		for len(s) >= 2 && !equalFold(s[0], "providers") {
			s = s[2:]
			pairs++
		}
		if pairs == 0 {
			return false
		}
	}
	return true
}
