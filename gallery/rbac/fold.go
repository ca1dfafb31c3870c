package rbac

// Only ASCII letters fold: names and actions are made of ASCII, and what folds by Unicode's tables (the Kelvin sign to
// k) would make two names of one key.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func equalFold(a, b string) bool {
	return len(a) == len(b) && hasPrefixFold(a, b)
}

func hasPrefixFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if s[i] != prefix[i] && lower(s[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

// indexFold returns where piece first occurs in s, or -1.
func indexFold(s, piece string) int {
	for i := 0; i+len(piece) <= len(s); i++ {
		if hasPrefixFold(s[i:], piece) {
			return i
		}
	}
	return -1
}
