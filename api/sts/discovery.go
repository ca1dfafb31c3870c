package sts

import (
	"encoding/json"
	"net/http"
	"strings"

	"loggia/api/respond"
)

// configuration is the document of OpenID Connect Discovery, as far as a token endpoint without a login page has one.
// The issuer is the document's own address, which clients hold it against; that of the access tokens is another, as
// it is with AD FS.
type configuration struct {
	Issuer        string   `json:"issuer"`
	AccessIssuer  string   `json:"access_token_issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Auth          []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs      []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Grants        []string `json:"grant_types_supported"`
	Responses     []string `json:"response_types_supported"`
	Subjects      []string `json:"subject_types_supported"`
	Algs          []string `json:"id_token_signing_alg_values_supported"`
	Scopes        []string `json:"scopes_supported"`
	Claims        []string `json:"claims_supported"`
}

func (h *handler) discovery(w http.ResponseWriter, r *http.Request, prefix []string) {
	n, err := h.o.Service.Names()
	if err != nil {
		respond.Error(h.o.Log, w, r, err)
		return
	}
	root := h.o.Base(r) + "/" + strings.Join(prefix, "/")
	v2 := ""
	if strings.Contains(strings.ToLower(r.URL.Path), "/v2.0/") {
		v2 = "/v2.0"
	}
	respond.JSON(w, http.StatusOK, configuration{
		Issuer: root + v2, AccessIssuer: n.Issuer, Authorization: root + "/oauth2" + v2 + "/authorize", Token: root + "/oauth2" + v2 + "/token",
		Keys: root + "/discovery" + v2 + "/keys", Auth: []string{"client_secret_post", "client_secret_basic", "private_key_jwt"},
		AuthAlgs: []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"}, Grants: []string{GrantClient, GrantExchange},
		Responses: []string{"token"}, Subjects: []string{"public"}, Algs: []string{"RS256"}, Scopes: []string{n.Audience + "/.default"},
		Claims: []string{"aud", "iss", "iat", "nbf", "exp", "appid", "idtyp", "oid", "sub", "tid", "name", "upn", "groups", "ver"},
	})
}

// publicKeys answers the JWK set (RFC 7517).
func (h *handler) publicKeys(w http.ResponseWriter, _ *http.Request) {
	all := h.o.Service.Keys()
	if all == nil {
		all = []json.RawMessage{}
	}
	respond.JSON(w, http.StatusOK, struct {
		Keys []json.RawMessage `json:"keys"`
	}{all})
}
