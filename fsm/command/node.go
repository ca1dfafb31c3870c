package command

import (
	"loggia/gallery"
	"loggia/internal/digest"
)

func nodeDefs() []Def {
	return []Def{
		def[NodeJoin, *NodeJoin, gallery.Node](KindNodeJoin, "node.join"),
		def[NodeUpdate, *NodeUpdate, gallery.Node](KindNodeUpdate, "node.update"),
		def[NodeRemove, *NodeRemove, noValue](KindNodeRemove, "node.remove"),
	}
}

// NodeJoin adds a node, and its region where that is new, and uses up one use of a join token whose region, seat and (if it names
// one) zone must be the node's. The first node of a cluster needs no token. An id is never used twice (C2).
// Its result is the *gallery.Node.
type NodeJoin struct {
	Node  gallery.Node    `cbor:"1,keyasint"`
	Token gallery.TokenID `cbor:"2,keyasint,omitempty"`
	Hash  digest.Digest   `cbor:"3,keyasint,omitzero"` // SHA-256 of the token's secret
}

// NodeUpdate changes a node's addresses, seat or binary version. Region, zone and the time of
// joining stay. Its result is the *gallery.Node.
type NodeUpdate struct {
	Node gallery.Node `cbor:"1,keyasint"`
}

// NodeRemove removes a node and ends its claims on replicas; its uploads may be reopened elsewhere.
type NodeRemove struct {
	ID gallery.NodeID `cbor:"1,keyasint"`
}

func (*NodeJoin) Kind() Kind   { return KindNodeJoin }
func (*NodeUpdate) Kind() Kind { return KindNodeUpdate }
func (*NodeRemove) Kind() Kind { return KindNodeRemove }

// Check implements Command.
func (c *NodeJoin) Check() error {
	if c.Token != "" {
		return first(c.Node.Validate(), checkID("token", c.Token))
	}
	return c.Node.Validate()
}

// Check implements Command.
func (c *NodeUpdate) Check() error { return c.Node.Validate() }

// Check implements Command.
func (c *NodeRemove) Check() error { return checkID("id", c.ID) }
