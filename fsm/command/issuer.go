package command

import "loggia/gallery"

func issuerDefs() []Def {
	return from(2,
		def[IssuerPut, *IssuerPut, gallery.Issuer](KindIssuerPut, "issuer.put"),
		def[IssuerDelete, *IssuerDelete, noValue](KindIssuerDelete, "issuer.delete"),
		def[SigningKeyPut, *SigningKeyPut, gallery.SigningKey](KindSigningKeyPut, "signingKey.put"),
		def[SigningKeyDelete, *SigningKeyDelete, noValue](KindSigningKeyDelete, "signingKey.delete"),
	)
}

// IssuerPut adds or changes an outside issuer. A name, or a URL with its client id, that another one has gives ErrConflict. Its
// result is the *gallery.Issuer.
type IssuerPut struct {
	Issuer gallery.Issuer `cbor:"1,keyasint"`
	If     Precondition   `cbor:"2,keyasint,omitzero"`
}

// IssuerDelete removes an outside issuer. Principals for whom it vouched stay, and cannot log in through it.
type IssuerDelete struct {
	ID gallery.IssuerID `cbor:"1,keyasint"`
	If Precondition     `cbor:"2,keyasint,omitzero"`
}

// SigningKeyPut adds a signing key, or says when one retires; its keys and the beginning never change (ErrImmutable), and
// a retirement is only brought forward. Its result is the *gallery.SigningKey.
type SigningKeyPut struct {
	Key gallery.SigningKey `cbor:"1,keyasint"` // Created is set by the machine
}

// SigningKeyDelete removes a signing key that has retired (else ErrInUse), or any where Force is set, as after a theft.
type SigningKeyDelete struct {
	ID    string `cbor:"1,keyasint"`
	Force bool   `cbor:"2,keyasint,omitempty"`
}

func (*IssuerPut) Kind() Kind        { return KindIssuerPut }
func (*IssuerDelete) Kind() Kind     { return KindIssuerDelete }
func (*SigningKeyPut) Kind() Kind    { return KindSigningKeyPut }
func (*SigningKeyDelete) Kind() Kind { return KindSigningKeyDelete }

// Check implements Command.
func (c *IssuerPut) Check() error { return c.Issuer.Validate() }

// Check implements Command.
func (c *IssuerDelete) Check() error { return checkID("id", c.ID) }

// Check implements Command.
func (c *SigningKeyPut) Check() error {
	if len(c.Key.Private) == 0 || c.Key.NotBefore.IsZero() {
		return invalid("private", "the sealed key and notBefore are required")
	}
	return c.Key.Validate()
}

// Check implements Command.
func (c *SigningKeyDelete) Check() error {
	if c.ID == "" || len(c.ID) > maxKeyID {
		return invalid("id", "1 to %d bytes", maxKeyID)
	}
	return nil
}

const maxKeyID = 128
