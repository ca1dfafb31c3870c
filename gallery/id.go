package gallery

// The identities. Each is a UUID (RFC 9562) in canonical lower-case text, given once and never
// used again: a thing that is added anew gets a new one.
type (
	ClusterID      string
	TenantID       string
	SubscriptionID string
	StoreID        string
	NodeID         string
	DiskID         string
	UploadID       string
	TokenID        string
	PrincipalID    string // a principal's object id
	AppID          string // a service principal's client id
	RoleID         string
	AssignmentID   string
	IssuerID       string
	OperationID    string
	ImportID       string
	AccessID       string
)

// Domain is the border of deduplication: nothing crosses it. It is the text of the tenant's id.
type Domain string

// DomainOf returns the domain of a tenant's disks.
func DomainOf(t TenantID) Domain { return Domain(t) }

// ValidID says whether s is a UUID in canonical lower-case text.
func ValidID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isDigit(c) && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
