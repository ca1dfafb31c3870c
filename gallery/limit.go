package gallery

import "time"

// LimitKey says what a limit is for: the traffic between regions that leaves a place, arrives at one, or both. Exactly one of these is set:
// From and To (a pair of regions), From, To, FromNode, ToNode.
type LimitKey struct {
	From     RegionName `cbor:"1,keyasint,omitempty"`
	To       RegionName `cbor:"2,keyasint,omitempty"`
	FromNode NodeID     `cbor:"3,keyasint,omitempty"`
	ToNode   NodeID     `cbor:"4,keyasint,omitempty"`
}

// String writes west->east, west->*, *->east, or the same with "node " and an id.
func (k LimitKey) String() string {
	side := func(r RegionName, n NodeID) string {
		switch {
		case n != "":
			return "node " + string(n)
		case r != "":
			return string(r)
		}
		return "*"
	}
	return side(k.From, k.FromNode) + "->" + side(k.To, k.ToNode)
}

// Validate says whether exactly one thing is limited, by names in their canonical form.
func (k LimitKey) Validate() error {
	for _, x := range []struct {
		field  string
		region RegionName
		node   NodeID
	}{{"from", k.From, ""}, {"to", k.To, ""}, {"fromNode", "", k.FromNode}, {"toNode", "", k.ToNode}} {
		if n, err := ParseRegionName(string(x.region)); x.region != "" && (err != nil || n != x.region) {
			return invalid(x.field, "%q: must be the name of a region", x.region)
		}
		if x.node != "" && !ValidID(string(x.node)) {
			return invalid(x.field, "%q: must be the id of a node", x.node)
		}
	}
	regions, nodes := k.From != "" || k.To != "", k.FromNode != "" || k.ToNode != ""
	switch {
	case !regions && !nodes:
		return invalid("from", "name a region or a node that the limit is for")
	case regions && nodes, k.FromNode != "" && k.ToNode != "":
		return invalid("fromNode", "a limit is for regions, or for one direction of one node")
	case k.From != "" && k.From == k.To:
		return invalid("to", "must be another region than from: limits are for traffic between regions")
	}
	return nil
}

// Limit bounds the traffic between regions at one place.
type Limit struct {
	Key     LimitKey  `cbor:"1,keyasint"`
	Rate    Rate      `cbor:"2,keyasint"`
	Updated time.Time `cbor:"3,keyasint,omitzero"`
	By      string    `cbor:"4,keyasint,omitempty"`
}

// Validate checks what a person asks for.
func (l *Limit) Validate() error {
	if err := l.Key.Validate(); err != nil {
		return err
	}
	return l.Rate.Validate()
}

// MaxLimits bounds the limits of a cluster.
const MaxLimits = 1000
