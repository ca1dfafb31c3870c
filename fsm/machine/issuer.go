package machine

import (
	"bytes"
	"strings"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func issuerPut(e *entry, c *command.IssuerPut) (*gallery.Issuer, error) {
	row := c.Issuer
	name := string(row.ID)
	old := e.Issuer(row.ID)
	var etag uint64
	if old != nil {
		etag = old.ETag
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	row.Created = e.Now()
	if old != nil {
		if err := row.CheckUpdate(old); err != nil {
			return nil, named(err, name)
		}
		row.Created = old.Created
	}
	if err := e.fitIssuer(&row); err != nil {
		return nil, err
	}
	row.ETag, row.Updated = e.Index(), e.Now()
	state.Put(e.Tx, &row)
	return &row, nil
}

func (e *entry) fitIssuer(row *gallery.Issuer) error {
	name := string(row.ID)
	if e.Tenant(row.Tenant) == nil {
		return invalid(name, "tenant", "no tenant %s", row.Tenant)
	}
	others := 0
	for _, o := range e.Issuers() {
		if o.ID == row.ID {
			continue
		}
		others++
		if strings.EqualFold(o.Name, row.Name) {
			return conflict(name, "name", "another issuer has it")
		}
		if o.URL == row.URL && o.ClientID == row.ClientID {
			return conflict(name, "url", "issuer "+o.Name+" has it with this client id")
		}
	}
	if others >= gallery.MaxIssuers {
		return fail(gallery.ErrQuota, name, "at most %d issuers", gallery.MaxIssuers)
	}
	return nil
}

func issuerDelete(e *entry, c *command.IssuerDelete) (*none, error) {
	row := e.Issuer(c.ID)
	if row == nil {
		return nil, notFound("issuer", c.ID)
	}
	if err := check(c.If, string(c.ID), row.ETag); err != nil {
		return nil, err
	}
	state.Delete(e.Tx, row)
	return nil, nil
}

func signingKeyPut(e *entry, c *command.SigningKeyPut) (*gallery.SigningKey, error) {
	row := c.Key
	row.Created, row.NotBefore, row.Retires = e.Now(), row.NotBefore.UTC(), row.Retires.UTC()
	old := e.SigningKey(row.ID)
	if old == nil {
		if len(e.SigningKeys()) >= gallery.MaxSigningKeys {
			return nil, fail(gallery.ErrQuota, row.ID, "at most %d signing keys", gallery.MaxSigningKeys)
		}
		state.Put(e.Tx, &row)
		return &row, nil
	}
	row.Created = old.Created
	if !bytes.Equal(row.Public, old.Public) || !bytes.Equal(row.Private, old.Private) || !row.NotBefore.Equal(old.NotBefore) {
		return nil, fail(gallery.ErrImmutable, row.ID, "of a signing key only the retirement changes")
	}
	if !old.Retires.IsZero() && (row.Retires.IsZero() || row.Retires.After(old.Retires)) {
		return nil, fail(gallery.ErrConflict, row.ID, "it retires on %s, and not later", old.Retires.Format("2006-01-02T15:04:05Z"))
	}
	state.Put(e.Tx, &row)
	return &row, nil
}

func signingKeyDelete(e *entry, c *command.SigningKeyDelete) (*none, error) {
	row := e.SigningKey(c.ID)
	if row == nil {
		return nil, notFound("signing key", c.ID)
	}
	if !c.Force && (row.Retires.IsZero() || e.Now().Before(row.Retires)) {
		return nil, fail(gallery.ErrInUse, c.ID, "the key has not retired")
	}
	state.Delete(e.Tx, row)
	return nil, nil
}
