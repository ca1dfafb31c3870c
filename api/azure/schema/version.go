package schema

import (
	"regexp"
	"strings"

	"loggia/api/azure/fault"
)

// Version is an api-version: a date, perhaps marked as a preview.
type Version string

var versionForm = regexp.MustCompile(`^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(-(preview|alpha|beta|privatepreview))?$`)

// ParseVersion reads the api-version parameter: any date is taken, since clients mix many.
func ParseVersion(s string) (Version, error) {
	if s == "" {
		return "", fault.New(fault.MissingAPIVersion, "The api-version query parameter (?api-version=) is required for all requests.")
	}
	low := strings.ToLower(s)
	if !versionForm.MatchString(low) {
		return "", fault.New(fault.InvalidAPIVersion, "The api-version '%.40s' is invalid. The api-version must be of the form YYYY-MM-DD or YYYY-MM-DD-preview.", s)
	}
	return Version(low), nil
}

// Knows says whether a client of the version knows a field that came with since.
func (v Version) Knows(since Version) bool { return v >= since }
