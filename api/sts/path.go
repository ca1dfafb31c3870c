package sts

import "strings"

// place is a document or an endpoint of identity.
type place int

const (
	nowhere place = iota
	metadataPlace
	discoveryPlace
	tokenPlace
	keysPlace
)

// maxPath bounds the paths that are looked at, in bytes.
const maxPath = 512

// Owns says whether a path is served here.
func Owns(path string) bool {
	p, _ := locate(path)
	return p != nowhere
}

// tails are how the paths end, behind a prefix that names whom they are for: "adfs" as the Azure CLI wants it, or a tenant.
var tails = map[string]place{
	".well-known/openid-configuration":      discoveryPlace,
	"v2.0/.well-known/openid-configuration": discoveryPlace,
	"oauth2/token":                          tokenPlace,
	"oauth2/v2.0/token":                     tokenPlace,
	"discovery/keys":                        keysPlace,
	"discovery/v2.0/keys":                   keysPlace,
}

// locate finds what a path means, and the prefix as it was written: case and repeated slashes do not count.
func locate(path string) (place, []string) {
	if len(path) > maxPath {
		return nowhere, nil
	}
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if strings.EqualFold(strings.Join(segments, "/"), "metadata/endpoints") {
		return metadataPlace, nil
	}
	for n := 1; n <= 2 && n < len(segments); n++ {
		p, ok := tails[strings.ToLower(strings.Join(segments[n:], "/"))]
		if ok && isPrefix(segments[:n]) {
			return p, segments[:n]
		}
	}
	return nowhere, nil
}

// isPrefix says whether segments name whom a document is for: /adfs, /{tenant}, /adfs/adfs or /adfs/{tenant}.
func isPrefix(segments []string) bool {
	if len(segments) == 2 {
		return strings.EqualFold(segments[0], "adfs") && isTenant(segments[1])
	}
	return isTenant(segments[0])
}

// isTenant says whether a segment can name a tenant.
func isTenant(s string) bool {
	switch strings.ToLower(s) {
	case "adfs", "common", "organizations":
		return true
	}
	return isUUID(s)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}

// tenantOf is the tenant that a prefix names; "": any.
func tenantOf(prefix []string) string {
	if last := strings.ToLower(prefix[len(prefix)-1]); isUUID(last) {
		return last
	}
	return ""
}
