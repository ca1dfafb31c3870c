package command

func upkeepDefs() []Def {
	return []Def{
		def[ExpireClaims, *ExpireClaims, Expired](KindExpireClaims, "upkeep.expireClaims"),
		def[ExpireUploads, *ExpireUploads, Expired](KindExpireUploads, "upkeep.expireUploads"),
		def[PruneRequests, *PruneRequests, Expired](KindPruneRequests, "upkeep.pruneRequests"),
	}
}

// ExpireClaims ends the claims on replicas, and those of collectors, whose deadline has passed in state time. Only the leader proposes
// it, after it has led for one full lease. Its result is *Expired.
type ExpireClaims struct{}

// ExpireUploads abandons open uploads whose end has passed, drops ended ones, and drops disks of completed uploads that no
// version refers to by then. Its result is *Expired.
type ExpireUploads struct{}

// PruneRequests forgets the results of requests older than 24 h of state time. Its result is *Expired.
type PruneRequests struct{}

// Expired counts what went. More says that the bound of one command (MaxExpired) was reached.
type Expired struct {
	Count int  `cbor:"1,keyasint,omitempty"`
	More  bool `cbor:"2,keyasint,omitempty"`
}

// MaxExpired bounds the rows that one upkeep command touches, so that apply stays short.
const MaxExpired = 1000

func (*ExpireClaims) Kind() Kind  { return KindExpireClaims }
func (*ExpireUploads) Kind() Kind { return KindExpireUploads }
func (*PruneRequests) Kind() Kind { return KindPruneRequests }

// Check implements Command.
func (*ExpireClaims) Check() error { return nil }

// Check implements Command.
func (*ExpireUploads) Check() error { return nil }

// Check implements Command.
func (*PruneRequests) Check() error { return nil }
