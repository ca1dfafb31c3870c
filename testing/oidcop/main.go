// Command oidcop is an OpenID provider for tests: the example server of a certified library, with people and groups of
// its own, on a free loopback port with TLS. It is a module of its own, so that Loggia's stays clean of it.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Client is the client that is registered for Loggia's command line: public, with PKCE, a loopback redirect and the device flow.
const Client = "loggia-cli"

// password is everybody's.
const password = "verysecure"

// people are the users and their groups.
var people = map[string][]string{
	"alice":   {"builders", "everybody"},
	"bob":     {"everybody"},
	"mallory": nil,
}

func main() {
	ca := flag.String("ca", "", "file to write the certificate to")
	flag.Parse()
	if err := run(*ca); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until standard input ends: whoever started the provider holds that.
func run(ca string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cert, err := certificate()
	if err != nil {
		return err
	}
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		return err
	}
	issuer := "https://" + l.Addr().String()
	storage.RegisterClients(storage.NativeClient(Client, "http://127.0.0.1/callback"))
	h := exampleop.SetupServer(issuer, &store{storage.NewStorage(users{issuer})}, slog.New(slog.DiscardHandler), false)
	srv := &http.Server{Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, ReadHeaderTimeout: 10 * time.Second}
	fmt.Println(issuer)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = srv.Close()
	}()
	if err := srv.ServeTLS(l, "", ""); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// users is the library's store of users: names are ids, since its device flow takes one for the other.
type users struct{ issuer string }

func (u users) GetUserByID(id string) *storage.User {
	if _, ok := people[id]; !ok {
		return nil
	}
	return &storage.User{ID: id, Username: id, Password: password, FirstName: id, LastName: "Example", Email: id + "@example.org", EmailVerified: true}
}

func (u users) GetUserByUsername(name string) *storage.User { return u.GetUserByID(name) }
func (u users) ExampleClientID() string                     { return "service" }

// store adds groups to ID tokens, and the device flow to the client.
type store struct{ *storage.Storage }

func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil || id != Client {
		return c, err
	}
	return client{c}, nil
}

func (s *store) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	if err := s.Storage.SetUserinfoFromRequest(ctx, info, token, scopes); err != nil {
		return err
	}
	info.AppendClaims("groups", people[token.GetSubject()])
	return nil
}

type client struct{ op.Client }

func (client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeDeviceCode}
}
