package v1

import "time"

// Member is a node of the cluster.
type Member struct {
	ID      string    `json:"id"`
	Region  string    `json:"region"`
	Zone    string    `json:"zone,omitempty"`
	Address string    `json:"address"` // host:port of its one TLS port
	Seat    string    `json:"seat"`    // voter, standby
	Leader  bool      `json:"leader"`
	Alive   string    `json:"gossip"` // alive, dead or unknown: a hint
	Version string    `json:"version"`
	Joined  time.Time `json:"joined"`
}

// RaftPeer is a server of the raft configuration.
type RaftPeer struct {
	ID      string `json:"id"`
	Region  string `json:"region"`
	Address string `json:"address"`
	Voter   bool   `json:"voter"`
	Leader  bool   `json:"leader"`
}

// PromoteRequest gives a standby a voter's seat.
type PromoteRequest struct {
	ID string `json:"id"`
}

// JoinTokenRequest asks for a token with which one node may join.
type JoinTokenRequest struct {
	Region string `json:"region"`
	Zone   string `json:"zone,omitempty"`
	Seat   string `json:"seat"`          // voter, standby
	TTL    string `json:"ttl,omitempty"` // Go duration, default 24h
}

// JoinToken is shown once.
type JoinToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// TokenRequest asks for an access token.
type TokenRequest struct {
	Name string `json:"name"`
	TTL  string `json:"ttl,omitempty"` // Go duration; empty: does not expire
	// Principal whose rights the bearer has: an object id, a client id or a user name. Empty: the caller's own, and
	// the operator's where the operator asks.
	Principal string `json:"principal,omitempty"`
}

// Token is an access token; Secret is shown once, when it is made.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Principal string    `json:"principal,omitempty"` // object id; empty: the operator
	Secret    string    `json:"secret,omitempty"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`
}
