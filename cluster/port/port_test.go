package port

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loggia/cluster/pki"
)

type node struct {
	id   string
	cred Credentials
}

func newNode(t *testing.T, ca *pki.CA, cluster, id string) node {
	t.Helper()
	key, csr, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	crt, err := ca.Issue(csr, pki.Node{Cluster: cluster, ID: id}, []string{"127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(append(crt, ca.CertPEM()...), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := pki.ParseCert(ca.CertPEM())
	if err != nil {
		t.Fatal(err)
	}
	return node{id, Credentials{Cert: pair, CA: root, Cluster: cluster}}
}

func newCA(t *testing.T, cluster string) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(cluster, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func open(t *testing.T, n node) *Port {
	t.Helper()
	p, err := Listen(t.Context(), "127.0.0.1:0", Options{Credentials: func() Credentials { return n.cred }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// echo answers who it thinks called.
func echo(t *testing.T, l net.Listener) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, c.(*PeerConn).Node)
			c.Close()
		}
	}()
}

func TestNodesAreToldApartByProtocol(t *testing.T) {
	ca := newCA(t, "c1")
	a, b := newNode(t, ca, "c1", "a"), newNode(t, ca, "c1", "b")
	pa, pb := open(t, a), open(t, b)
	echo(t, pa.Peers())
	for _, tc := range []struct {
		name string
		want string
		ok   bool
	}{{"the right node", "a", true}, {"another id", "x", false}} {
		c, err := pb.Dial(t.Context(), ProtoPeer, pa.Addr().String(), tc.want)
		if (err == nil) != tc.ok {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if err != nil {
			if !errors.Is(err, pki.ErrPeer) {
				t.Errorf("%s: error %v is not ErrPeer", tc.name, err)
			}
			continue
		}
		got, err := io.ReadAll(c)
		if err != nil || string(got) != "b" {
			t.Errorf("%s: the other side saw %q, %v", tc.name, got, err)
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	ca := newCA(t, "c1")
	p := open(t, newNode(t, ca, "c1", "a"))
	echo(t, p.Peers())
	dial := func(conf *tls.Config) error {
		conf.NextProtos, conf.InsecureSkipVerify = []string{ProtoPeer}, true
		c, err := tls.Dial("tcp", p.Addr().String(), conf)
		if err != nil {
			return err
		}
		defer c.Close()
		// TLS 1.3 tells a refused client certificate with the first read.
		_, err = io.ReadAll(c)
		return err
	}
	if err := dial(&tls.Config{}); err == nil {
		t.Error("a peer without a certificate was let in")
	}
	if err := dial(&tls.Config{Certificates: []tls.Certificate{newNode(t, newCA(t, "c1"), "c1", "a").cred.Cert}}); err == nil {
		t.Error("a peer of another CA was let in")
	}
	if err := dial(&tls.Config{Certificates: []tls.Certificate{newNode(t, ca, "c2", "a").cred.Cert}}); err == nil {
		t.Error("a peer of another cluster was let in")
	}
}

func TestClientsSpeakHTTP(t *testing.T) {
	ca := newCA(t, "c1")
	p := open(t, newNode(t, ca, "c1", "a"))
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })}
	ConfigureHTTP(srv)
	go srv.Serve(p.Clients())
	t.Cleanup(func() { srv.Close() })
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.CertPEM())
	for proto, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2}
		resp, err := (&http.Client{Transport: tr}).Get("https://" + p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		tr.CloseIdleConnections()
		if string(b) != proto {
			t.Errorf("server saw %q, want %q", b, proto)
		}
	}
	wrong := x509.NewCertPool()
	wrong.AppendCertsFromPEM(newCA(t, "c1").CertPEM())
	_, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: wrong}}}).Get("https://" + p.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("wrong CA: error %v, want one about the certificate", err)
	}
}

func TestSilentClientsDoNotBlockOthers(t *testing.T) {
	ca := newCA(t, "c1")
	a := newNode(t, ca, "c1", "a")
	p := open(t, a)
	echo(t, p.Peers())
	for range maxPending + 8 {
		c, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := p.Dial(ctx, ProtoPeer, p.Addr().String(), "a")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestCertificateChangesWhileThePortIsOpen holds that a renewed certificate needs no restart.
func TestCertificateChangesWhileThePortIsOpen(t *testing.T) {
	ca := newCA(t, "c1")
	a, b := newNode(t, ca, "c1", "a"), newNode(t, ca, "c1", "b")
	var now atomic.Pointer[Credentials]
	now.Store(&a.cred)
	p, err := Listen(t.Context(), "127.0.0.1:0", Options{Credentials: func() Credentials { return *now.Load() }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	pb := open(t, b)
	shown := func() string {
		c, err := pb.Dial(t.Context(), ProtoRaft, p.Addr().String(), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		other, err := p.Raft().Accept()
		if err != nil {
			t.Fatal(err)
		}
		other.Close()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := shown()
	renewed := newNode(t, ca, "c1", "a").cred
	now.Store(&renewed)
	if second := shown(); second == first {
		t.Error("the old certificate is still shown")
	}
}

func TestExpiredCertificateIsRefused(t *testing.T) {
	ca := newCA(t, "c1")
	a, b := newNode(t, ca, "c1", "a"), newNode(t, ca, "c1", "b")
	later := func() time.Time { return time.Now().Add(pki.NodeLife + time.Hour) }
	p, err := Listen(t.Context(), "127.0.0.1:0", Options{Credentials: func() Credentials { return a.cred }, Now: later, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if _, err := p.Dial(t.Context(), ProtoPeer, open(t, b).Addr().String(), "b"); !errors.Is(err, pki.ErrPeer) {
		t.Errorf("dial: %v, want ErrPeer", err)
	}
}

func TestClosedPortLetsNobodyIn(t *testing.T) {
	ca := newCA(t, "c1")
	p := open(t, newNode(t, ca, "c1", "a"))
	silent, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := p.Close(); err != nil { // waits for nobody
		t.Fatal(err)
	}
	for name, l := range map[string]net.Listener{"clients": p.Clients(), "raft": p.Raft(), "peers": p.Peers()} {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPeersSpeakHTTP(t *testing.T) {
	ca := newCA(t, "c1")
	a, b := newNode(t, ca, "c1", "a"), newNode(t, ca, "c1", "b")
	pa, pb := open(t, a), open(t, b)
	srv := &http.Server{ConnContext: PeerContext, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := PeerFrom(r.Context())
		io.WriteString(w, id)
	})}
	go srv.Serve(pa.Peers())
	t.Cleanup(func() { srv.Close() })
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return pb.Dial(ctx, ProtoPeer, pa.Addr().String(), "a")
	}}
	t.Cleanup(tr.CloseIdleConnections)
	resp, err := (&http.Client{Transport: tr}).Get("http://a/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "b" {
		t.Fatalf("the server saw %q, %v", got, err)
	}
}
