package consensus

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"loggia/cluster/pki"
	"loggia/cluster/port"
)

// openPort is a real port on loopback of a node of one cluster.
func openPort(t *testing.T, ca *pki.CA, id string) *port.Port {
	t.Helper()
	key, csr, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	crt, err := ca.Issue(csr, pki.Node{Cluster: "c1", ID: id}, nil, time.Now())
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
	p, err := port.Listen(t.Context(), "127.0.0.1:0", port.Options{Now: time.Now, Log: discard,
		Credentials: func() port.Credentials { return port.Credentials{Cert: pair, CA: root, Cluster: "c1"} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// openReal starts a node on a real port.
func openReal(t *testing.T, p *port.Port, id string) *Node {
	t.Helper()
	dial := func(ctx context.Context, addr, id string) (net.Conn, error) {
		return p.Dial(ctx, port.ProtoRaft, addr, id)
	}
	n, err := Open(t.Context(), Options{NodeID: id, Address: p.Addr().String(), RTT: time.Millisecond, Machine: newLedger(), Logger: discard,
		Transport: StreamTransport(p.Raft(), dial), OnFatal: func(err error) { t.Errorf("fatal: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Errorf("close %s: %v", id, err)
		}
	})
	return n
}

// TestOverRealPorts is the whole of it over TLS: two nodes, and a spare connection that is of no
// use once the other side has closed it.
func TestOverRealPorts(t *testing.T) {
	ca, err := pki.NewCA("c1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pa, pb := openPort(t, ca, "a"), openPort(t, ca, "b")
	a, b := openReal(t, pa, "a"), openReal(t, pb, "b")
	if err := a.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.WaitLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.AddVoter(t.Context(), "b", pb.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Propose(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := a.TransferLeadership(t.Context()); err != nil {
		t.Fatal(err)
	}
	for {
		changed := b.Changed()
		if _, _, err := b.Propose(t.Context(), []byte("y")); err == nil {
			break
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("b does not lead")
		}
	}
}

func TestSpareThatTheOtherSideClosedIsNotUsed(t *testing.T) {
	ca, err := pki.NewCA("c1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pa, pb := openPort(t, ca, "a"), openPort(t, ca, "b")
	s := &spares{conns: map[raft.ServerAddress][]net.Conn{}}
	defer s.close()
	at := join("b", pb.Addr().String())
	var theirs []net.Conn
	for range perNode {
		c, err := pa.Dial(t.Context(), port.ProtoRaft, pb.Addr().String(), "b")
		if err != nil {
			t.Fatal(err)
		}
		s.put(at, c)
		other, err := pb.Raft().Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		theirs = append(theirs, other)
	}
	if n := s.lack(at); n != 0 {
		t.Fatalf("%d are missing", n)
	}
	theirs[0].Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.lack(at) != 1 {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the closed one is kept")
		}
	}
	c := s.take(at)
	if c == nil || s.lack(at) != 2 {
		t.Fatalf("took %v, then %d are missing", c, s.lack(at))
	}
	c.Close()
	if c := s.take(join("x", "127.0.0.1:1")); c != nil {
		t.Error("a connection to a node that there is none to")
	}
}
