package rbac

import "strings"

// MaxAction bounds an action that is asked about, in bytes. The longest that exist have about 150.
const MaxAction = 256

// Match says whether a pattern of a permission names an action. An asterisk stands for any bytes, slashes too, and for
// none; all else stands for itself, without regard to case.
//
// The pieces between asterisks are found from left to right, each as early as possible, and never looked for again, so
// the work is bounded by the product of the action's length and the longest piece's, whatever the pattern.
func Match(pattern, action string) bool {
	if len(action) > MaxAction {
		return false
	}
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return equalFold(pattern, action)
	}
	if !hasPrefixFold(action, first) {
		return false
	}
	action = action[len(first):]
	for {
		piece, after, more := strings.Cut(rest, "*")
		if !more {
			return len(action) >= len(piece) && equalFold(action[len(action)-len(piece):], piece)
		}
		at := indexFold(action, piece)
		if at < 0 {
			return false
		}
		action, rest = action[at+len(piece):], after
	}
}

// firstMatch returns the first of the patterns that names the action.
func firstMatch(patterns []string, action string) (string, bool) {
	for _, p := range patterns {
		if Match(p, action) {
			return p, true
		}
	}
	return "", false
}
