package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func accessTokenPut(e *entry, c *command.AccessTokenPut) (*gallery.AccessToken, error) {
	if e.AccessToken(c.Token.ID) != nil || e.AccessTokenByHash(c.Token.Hash) != nil {
		return nil, fail(gallery.ErrConflict, string(c.Token.ID), "the token exists already")
	}
	row := c.Token
	if row.Owner != "" && e.View.Principal(row.Owner) == nil {
		return nil, invalid(string(row.ID), "owner", "no principal %s", row.Owner)
	}
	row.Created = e.Now()
	row.Expires = row.Expires.UTC()
	state.Put(e.Tx, &row)
	return &row, nil
}

func accessTokenDelete(e *entry, c *command.AccessTokenDelete) (*none, error) {
	row := e.AccessToken(c.ID)
	if row == nil {
		return nil, notFound("access token", c.ID)
	}
	state.Delete(e.Tx, row)
	return nil, nil
}

func joinTokenPut(e *entry, c *command.JoinTokenPut) (*gallery.JoinToken, error) {
	if e.JoinToken(c.Token.ID) != nil {
		return nil, fail(gallery.ErrConflict, string(c.Token.ID), "the token exists already")
	}
	row := c.Token
	row.Created = e.Now()
	row.Expires = row.Expires.UTC()
	state.Put(e.Tx, &row)
	return &row, nil
}

func joinTokenDelete(e *entry, c *command.JoinTokenDelete) (*none, error) {
	row := e.JoinToken(c.ID)
	if row == nil {
		return nil, notFound("join token", c.ID)
	}
	state.Delete(e.Tx, row)
	return nil, nil
}
