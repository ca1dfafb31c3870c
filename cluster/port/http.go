package port

import (
	"crypto/tls"
	"net/http"
)

// ConfigureHTTP prepares a server for the connections of Clients and Peers, whose handshake is done:
// it speaks what was negotiated, h2 too.
func ConfigureHTTP(s *http.Server) {
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{protoH2, protoH1}}
}
