package command

import "loggia/gallery"

func tokenDefs() []Def {
	return []Def{
		def[AccessTokenPut, *AccessTokenPut, gallery.AccessToken](KindAccessTokenPut, "accessToken.put"),
		def[AccessTokenDelete, *AccessTokenDelete, noValue](KindAccessTokenDelete, "accessToken.delete"),
		def[JoinTokenPut, *JoinTokenPut, gallery.JoinToken](KindJoinTokenPut, "joinToken.put"),
		def[JoinTokenDelete, *JoinTokenDelete, noValue](KindJoinTokenDelete, "joinToken.delete"),
	}
}

// AccessTokenPut adds an access token (ErrConflict where the id is taken). Its result is the *gallery.AccessToken.
type AccessTokenPut struct {
	Token gallery.AccessToken `cbor:"1,keyasint"` // Created is set by the machine
}

// AccessTokenDelete removes an access token.
type AccessTokenDelete struct {
	ID gallery.TokenID `cbor:"1,keyasint"`
}

// JoinTokenPut adds a join token (ErrConflict where the id is taken). Its result is the *gallery.JoinToken.
type JoinTokenPut struct {
	Token gallery.JoinToken `cbor:"1,keyasint"` // Created is set by the machine
}

// JoinTokenDelete removes a join token.
type JoinTokenDelete struct {
	ID gallery.TokenID `cbor:"1,keyasint"`
}

func (*AccessTokenPut) Kind() Kind    { return KindAccessTokenPut }
func (*AccessTokenDelete) Kind() Kind { return KindAccessTokenDelete }
func (*JoinTokenPut) Kind() Kind      { return KindJoinTokenPut }
func (*JoinTokenDelete) Kind() Kind   { return KindJoinTokenDelete }

// Check implements Command.
func (c *AccessTokenPut) Check() error { return c.Token.Validate() }

// Check implements Command.
func (c *AccessTokenDelete) Check() error { return checkID("id", c.ID) }

// Check implements Command.
func (c *JoinTokenPut) Check() error { return c.Token.Validate() }

// Check implements Command.
func (c *JoinTokenDelete) Check() error { return checkID("id", c.ID) }
