package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func nodeJoin(e *entry, c *command.NodeJoin) (*gallery.Node, error) {
	row := c.Node
	if e.Node(row.ID) != nil {
		return nil, fail(gallery.ErrConflict, string(row.ID), "a node with this id has joined already")
	}
	if len(e.Nodes("")) > 0 || c.Token != "" {
		if err := e.useJoinToken(c); err != nil {
			return nil, err
		}
	}
	if e.Region(row.Region) == nil {
		state.Put(e.Tx, &gallery.Region{Name: row.Region, Created: e.Now()})
	}
	row.Joined = e.Now()
	state.Put(e.Tx, &row)
	return &row, nil
}

// useJoinToken takes one use off the token. Its errors don't tell a wrong secret from a token that is not there.
func (e *entry) useJoinToken(c *command.NodeJoin) error {
	t := e.JoinToken(c.Token)
	if t == nil || t.Hash != c.Hash || t.Uses < 1 || !e.Now().Before(t.Expires) {
		return fail(gallery.ErrUnauthenticated, string(c.Node.ID), "the join token is wrong, used up or expired")
	}
	n := c.Node
	if t.Region != n.Region || t.Seat != n.Seat || t.Zone != "" && t.Zone != n.Zone {
		return fail(gallery.ErrForbidden, string(n.ID), "the join token is for region %q, zone %q, seat %s", t.Region, t.Zone, t.Seat)
	}
	row := *t
	if row.Uses--; row.Uses == 0 {
		state.Delete(e.Tx, &row)
	} else {
		state.Put(e.Tx, &row)
	}
	return nil
}

func nodeUpdate(e *entry, c *command.NodeUpdate) (*gallery.Node, error) {
	old := e.Node(c.Node.ID)
	if old == nil {
		return nil, notFound("node", c.Node.ID)
	}
	row := c.Node
	if row.Region != old.Region || row.Zone != old.Zone {
		return nil, fail(gallery.ErrImmutable, string(row.ID), "a node's region and zone cannot be changed")
	}
	row.Joined = old.Joined
	state.Put(e.Tx, &row)
	return &row, nil
}

func nodeRemove(e *entry, c *command.NodeRemove) (*none, error) {
	row := e.Node(c.ID)
	if row == nil {
		return nil, notFound("node", c.ID)
	}
	for _, r := range e.ReplicasOfNode(c.ID) {
		e.unclaim(r, "its node was removed")
	}
	e.dropLimits(func(k gallery.LimitKey) bool { return k.FromNode == c.ID || k.ToNode == c.ID })
	for _, r := range e.RepositoriesOfNode(c.ID) {
		e.stopCollecting(r)
	}
	state.Delete(e.Tx, row)
	return nil, nil
}

// nodeIn checks that a node exists and belongs to a region.
func (e *entry) nodeIn(id gallery.NodeID, region gallery.RegionName) error {
	n := e.Node(id)
	if n == nil {
		return notFound("node", id)
	}
	if n.Region != region {
		return invalid(string(id), "node", "the node is in region %q, not %q", n.Region, region)
	}
	return nil
}
