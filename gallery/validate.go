package gallery

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Bounds of free text and of lists, in bytes or elements.
const (
	MaxText       = 4096 // descriptions, URIs
	MaxTags       = 50
	MaxTagKey     = 512
	MaxTagValue   = 256
	maxZone       = 64
	maxAddress    = 256
	maxStoreName  = 63
	maxTokenName  = 128
	maxCACert     = 8 << 10
	maxFeatures   = 32
	maxFeature    = 256
	maxDiskTypes  = 16
	maxPublisher  = 128
	maxOffer      = 64
	maxPlanMember = 128
)

// text notes a text that is too long or no UTF-8.
func (f *faults) text(field, s string, limit int) {
	f.unless(len(s) <= limit && utf8.ValidString(s), field, "at most %d bytes of UTF-8", limit)
}

func (f *faults) id(field, s string) {
	f.unless(ValidID(s), field, "a UUID in canonical lower-case text")
}

func (f *faults) region(field string, r RegionName) {
	f.unless(r.valid(), field, ruleRegion)
}

func (f *faults) oneOf(field, s string, of ...string) {
	for _, v := range of {
		if s == v {
			return
		}
	}
	f.add(field, "one of %s", strings.Join(of, ", "))
}

func (f *faults) tags(tags map[string]string) {
	if len(tags) > MaxTags {
		f.add("tags", "at most %d", MaxTags)
		return
	}
	bad := false
	for k, v := range tags {
		bad = bad || k == "" || len(k) > MaxTagKey || len(v) > MaxTagValue || !utf8.ValidString(k) || !utf8.ValidString(v)
	}
	f.unless(!bad, "tags", "names of 1 to %d bytes, values of at most %d", MaxTagKey, MaxTagValue)
}

// wire notes what is no JSON that a row may keep for clients.
func (f *faults) wire(b []byte) {
	f.unless(len(b) <= MaxWire && (len(b) == 0 || json.Valid(b)), "properties", "what only clients understand is JSON of at most %d bytes", MaxWire)
}

// Validate checks what needs no other row.
func (c *Cluster) Validate() error {
	var f faults
	f.id("id", string(c.ID))
	f.id("tenant", string(c.Tenant))
	f.id("subscription", string(c.Subscription))
	f.unless(len(c.CACert) <= maxCACert, "caCert", "at most %d bytes", maxCACert)
	f.unless(len(c.CAKey) <= maxCACert, "caKey", "at most %d bytes", maxCACert)
	return f.err()
}

// Validate checks what needs no other row.
func (r *Region) Validate() error {
	var f faults
	f.region("name", r.Name)
	f.text("display", r.Display, 2*MaxRegionName)
	return f.err()
}

// Valid says whether s is a state of a store.
func (s StoreState) Valid() bool {
	return s == StoreOK || s == StoreFull || s == StoreUnavailable || s == StoreForbidden
}

// Validate checks what needs no other row.
func (s *Store) Validate() error {
	var f faults
	f.id("id", string(s.ID))
	f.region("region", s.Region)
	f.unless(madeOf(s.Name, maxStoreName, "._-"), "name", "1 to %d letters, digits, '.', '_' and '-'", maxStoreName)
	f.text("zone", s.Zone, maxZone)
	f.oneOf("class", string(s.Class), string(ClassStandard), string(ClassPremium))
	f.oneOf("kind", string(s.Kind), string(KindFilesystem), string(KindS3))
	f.text("location", s.Location, MaxText)
	f.unless(s.State == "" || s.State.Valid(), "state", "ok, full, unavailable or forbidden")
	f.text("reason", s.Reason, MaxLastError)
	f.unless(s.Capacity.Total >= 0 && s.Capacity.Free >= 0, "capacity", "not negative")
	f.unless(len(s.Abilities) <= MaxAbilities && (len(s.Abilities) == 0 || json.Valid(s.Abilities)),
		"abilities", "JSON of at most %d bytes", MaxAbilities)
	return f.err()
}

// Validate checks what needs no other row.
func (n *Node) Validate() error {
	var f faults
	f.id("id", string(n.ID))
	f.region("region", n.Region)
	f.text("zone", n.Zone, maxZone)
	f.unless(n.Address != "" && len(n.Address) <= maxAddress, "address", "host:port of at most %d bytes", maxAddress)
	f.text("address", n.Address, maxAddress)
	f.text("gossipAddress", n.GossipAddress, maxAddress)
	f.unless(n.Seat.Valid(), "seat", "voter, standby or witness")
	f.text("version", n.Version, maxZone)
	return f.err()
}

// Validate checks what needs no other row.
func (t *AccessToken) Validate() error {
	var f faults
	f.id("id", string(t.ID))
	f.unless(!t.Hash.IsZero(), "hash", "required")
	f.unless(t.Name != "" && len(t.Name) <= maxTokenName && utf8.ValidString(t.Name), "name", "1 to %d bytes", maxTokenName)
	f.text("principal", t.Principal, maxAddress)
	if t.Owner != "" {
		f.id("owner", string(t.Owner))
	}
	return f.err()
}

// MaxJoinUses bounds how many nodes one join token admits.
const MaxJoinUses = 1000

// Validate checks what needs no other row.
func (t *JoinToken) Validate() error {
	var f faults
	f.id("id", string(t.ID))
	f.unless(!t.Hash.IsZero(), "hash", "required")
	f.region("region", t.Region)
	f.text("zone", t.Zone, maxZone)
	f.unless(t.Seat.Valid(), "seat", "voter, standby or witness")
	f.unless(!t.Expires.IsZero(), "expires", "required")
	f.unless(t.Uses >= 1 && t.Uses <= MaxJoinUses, "uses", "1 to %d", MaxJoinUses)
	return f.err()
}
