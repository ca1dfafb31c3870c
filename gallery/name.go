package gallery

import "strings"

// GalleryName is the name of a gallery, as first written. It is unique in its subscription; case does not count.
type GalleryName string

// ImageName is the name of an image definition, as first written. It is unique in its gallery; case does not count.
type ImageName string

// RegionName is the normalised name of a region: lower case, no blanks.
type RegionName string

// Bounds of names, in bytes.
const (
	MaxName       = 80 // galleries and image definitions
	MaxRegionName = 40
	MaxGroupName  = 90 // resource groups, Azure's bound
	MaxAppName    = 117
)

// DefaultGroup is the resource group of whatever names none.
const DefaultGroup = "default"

const (
	ruleGallery = "1 to 80 letters, digits, '.' and '_', first and last a letter or digit, no dash"
	ruleImage   = "1 to 80 letters, digits, '.', '_' and '-', first a letter or digit, last not '.', '_' or '-'"
	// ruleApplication is Azure's; its bound is that of its documents, wider than that of some clients.
	ruleApplication = "1 to 117 letters, digits, '.', '_' and '-', first a letter or digit, last not '.'"
	ruleRegion      = "1 to 40 lower-case letters, digits and '-', starting with a letter"
	ruleGroup       = "1 to 90 letters, digits, '.', '_', '-', '(' and ')', not ending with '.'"
)

// Fold returns the name as keys and comparisons use it.
func (n GalleryName) Fold() GalleryName { return GalleryName(strings.ToLower(string(n))) }

// Fold returns the name as keys and comparisons use it.
func (n ImageName) Fold() ImageName { return ImageName(strings.ToLower(string(n))) }

// ParseGalleryName checks a gallery's name and keeps its case.
func ParseGalleryName(s string) (GalleryName, error) {
	if !madeOf(s, MaxName, "._") || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return "", invalid("name", ruleGallery)
	}
	return GalleryName(s), nil
}

// ParseImageName checks an image definition's name and keeps its case.
func ParseImageName(s string) (ImageName, error) {
	if !madeOf(s, MaxName, "._-") || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return "", invalid("name", ruleImage)
	}
	return ImageName(s), nil
}

// ParseApplicationName checks an application definition's name and keeps its case.
func ParseApplicationName(s string) (ImageName, error) {
	if !validApplication(s) {
		return "", invalid("name", ruleApplication)
	}
	return ImageName(s), nil
}

func validApplication(s string) bool {
	return madeOf(s, MaxAppName, "._-") && isAlnum(s[0]) && s[len(s)-1] != '.'
}

// NormalizeRegion lowers the case of a region's name and removes its blanks: "West US" is "westus".
func NormalizeRegion(s string) RegionName {
	return RegionName(strings.ToLower(strings.Join(strings.Fields(s), "")))
}

// ParseRegionName normalises a region's name and checks it.
func ParseRegionName(s string) (RegionName, error) {
	if len(s) > 2*MaxRegionName {
		return "", invalid("region", ruleRegion)
	}
	n := NormalizeRegion(s)
	if !n.valid() {
		return "", invalid("region", ruleRegion)
	}
	return n, nil
}

// valid says whether n is normalised and keeps the rule.
func (n RegionName) valid() bool {
	if n == "" || len(n) > MaxRegionName || n[0] < 'a' || n[0] > 'z' {
		return false
	}
	for i := range len(n) {
		if c := n[i]; c != '-' && !isDigit(c) && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func validGroup(s string) bool {
	return madeOf(s, MaxGroupName, "._-()") && s[len(s)-1] != '.'
}

// madeOf says whether s has 1 to limit bytes, each a letter, a digit or one of extra.
func madeOf(s string, limit int, extra string) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}
