package blobstore

import (
	"fmt"
	"strings"
)

// Bounds of a key, in bytes. A segment becomes a file name in most stores, and 255 is what file
// systems allow.
const (
	MaxKey     = 512
	MaxSegment = 255
)

// CheckKey returns an error wrapping ErrInvalidKey unless key follows the rule of Store.
func CheckKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: empty", ErrInvalidKey)
	}
	if len(key) > MaxKey {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrInvalidKey, len(key), MaxKey)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if err := checkSegment(segment); err != nil {
			return fmt.Errorf("%w in %q", err, key)
		}
	}
	return nil
}

// PossiblePrefix says whether any key can begin with prefix. Some services refuse to be asked for
// the others.
func PossiblePrefix(prefix string) bool {
	if len(prefix) > MaxKey {
		return false
	}
	folders, last := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		folders, last = prefix[:i], prefix[i+1:]
		if CheckKey(folders) != nil {
			return false
		}
	}
	return len(last) <= MaxSegment && !strings.ContainsFunc(last, func(r rune) bool { return r > 127 || !keyByte(byte(r)) })
}

// CheckPut returns an error unless key and the object's size in bytes are allowed.
func CheckPut(key string, size int) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if size > MaxObject {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxObject)
	}
	return nil
}

func checkSegment(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: empty segment", ErrInvalidKey)
	case s == "." || s == "..":
		return fmt.Errorf("%w: segment %q", ErrInvalidKey, s)
	case len(s) > MaxSegment:
		return fmt.Errorf("%w: segment of %d bytes, at most %d", ErrInvalidKey, len(s), MaxSegment)
	}
	for i := range len(s) {
		if !keyByte(s[i]) {
			return fmt.Errorf("%w: byte %q", ErrInvalidKey, s[i])
		}
	}
	return nil
}

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
