package gallery

import (
	"time"

	"loggia/internal/digest"
)

// Cluster is the one row that says what cluster this is.
type Cluster struct {
	ID           ClusterID      `cbor:"1,keyasint"`
	Tenant       TenantID       `cbor:"2,keyasint"` // the default tenant
	Subscription SubscriptionID `cbor:"3,keyasint"` // the default subscription
	CACert       []byte         `cbor:"4,keyasint"` // PEM
	CAKey        []byte         `cbor:"5,keyasint"` // sealed; never the plain key
	Generation   uint64         `cbor:"6,keyasint"` // grows with every recovery (C8)
	Version      uint32         `cbor:"7,keyasint"` // what every member understands (M4); only grows
	Created      time.Time      `cbor:"8,keyasint,omitzero"`
	Bootstrapped time.Time      `cbor:"9,keyasint,omitzero" since:"2"` // when its first owner was made; zero: not yet
	// CollectionOff says that no garbage is collected until an operator turns it on, as after a recovery (C8).
	CollectionOff bool `cbor:"10,keyasint,omitempty" since:"3"`
}

// Seat is a node's part in the raft group.
type Seat string

// The seats.
const (
	SeatVoter   Seat = "voter"
	SeatStandby Seat = "standby"
	SeatWitness Seat = "witness" // a voter without a store
)

// Valid says whether s is a seat.
func (s Seat) Valid() bool { return s == SeatVoter || s == SeatStandby || s == SeatWitness }

// Node is one daemon of a region.
type Node struct {
	ID            NodeID     `cbor:"1,keyasint"`
	Region        RegionName `cbor:"2,keyasint"`
	Zone          string     `cbor:"3,keyasint,omitempty"`
	Address       string     `cbor:"4,keyasint"` // host:port of its one TLS port
	GossipAddress string     `cbor:"5,keyasint,omitempty"`
	Seat          Seat       `cbor:"6,keyasint"`
	Version       string     `cbor:"7,keyasint,omitempty"` // of its binary
	Joined        time.Time  `cbor:"8,keyasint,omitzero"`
}

// AccessToken lets its bearer in. Only the hash of its secret is kept.
type AccessToken struct {
	ID        TokenID       `cbor:"1,keyasint"`
	Hash      digest.Digest `cbor:"2,keyasint,omitzero"` // SHA-256 of the secret
	Name      string        `cbor:"3,keyasint"`
	Principal string        `cbor:"4,keyasint,omitempty"`
	Created   time.Time     `cbor:"5,keyasint,omitzero"`
	Expires   time.Time     `cbor:"6,keyasint,omitzero"` // zero: never
	// Owner is the principal whose rights the bearer has; empty: the operator, who is Owner of everything.
	Owner PrincipalID `cbor:"7,keyasint,omitempty" since:"2"`
}

// Expired says whether the token is no longer good at now.
func (t *AccessToken) Expired(now time.Time) bool {
	return !t.Expires.IsZero() && !now.Before(t.Expires)
}

// JoinToken lets nodes of one region join. Only the hash of its secret is kept.
type JoinToken struct {
	ID      TokenID       `cbor:"1,keyasint"`
	Hash    digest.Digest `cbor:"2,keyasint,omitzero"` // SHA-256 of the secret
	Region  RegionName    `cbor:"3,keyasint"`
	Zone    string        `cbor:"4,keyasint,omitempty"`
	Seat    Seat          `cbor:"5,keyasint"`
	Created time.Time     `cbor:"6,keyasint,omitzero"`
	Expires time.Time     `cbor:"7,keyasint,omitzero"`
	Uses    int           `cbor:"8,keyasint"` // how many nodes may still join with it
}
