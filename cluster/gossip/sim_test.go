package gossip

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"loggia/testing/simnet"
)

// transport is memberlist's transport over a simulated network.
type transport struct {
	host    *simnet.Host
	ip      net.IP
	door    net.Listener
	packets chan *memberlist.Packet
	streams chan net.Conn
	over    chan struct{}
	work    sync.WaitGroup
}

const simPort = 7946

func newTransport(t *testing.T, h *simnet.Host, ip string) *transport {
	t.Helper()
	door, err := h.Listen(fmt.Sprint(simPort))
	if err != nil {
		t.Fatal(err)
	}
	tr := &transport{host: h, ip: net.ParseIP(ip), door: door, packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), over: make(chan struct{})}
	in := h.Packets(fmt.Sprint(simPort))
	tr.work.Go(func() { tr.receive(in) })
	tr.work.Go(tr.accept)
	return tr
}

func (tr *transport) receive(in <-chan simnet.Packet) {
	for {
		select {
		case p := <-in:
			from := &net.UDPAddr{IP: net.ParseIP(p.From), Port: simPort}
			select {
			case tr.packets <- &memberlist.Packet{Buf: p.Data, From: from, Timestamp: time.Now()}:
			case <-tr.over:
				return
			}
		case <-tr.over:
			return
		}
	}
}

func (tr *transport) accept() {
	for {
		c, err := tr.door.Accept()
		if err != nil {
			return
		}
		select {
		case tr.streams <- c:
		case <-tr.over:
			c.Close()
			return
		}
	}
}

// FinalAdvertiseAddr implements memberlist.Transport, as do all that follow.
func (tr *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) { return tr.ip, simPort, nil }

func (tr *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	tr.host.Send(addr, b)
	return time.Now(), nil
}

func (tr *transport) PacketCh() <-chan *memberlist.Packet { return tr.packets }

func (tr *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return tr.host.Dial(ctx, addr)
}

func (tr *transport) StreamCh() <-chan net.Conn { return tr.streams }

func (tr *transport) Shutdown() error {
	close(tr.over)
	err := tr.door.Close()
	tr.work.Wait()
	return err
}

// startSim starts a member on a simulated host.
func startSim(t *testing.T, n *simnet.Network, name, ip string) *Gossip {
	t.Helper()
	at := fmt.Sprintf("%s:%d", ip, simPort)
	g, err := Start(Options{Node: name, Cluster: "c1", Bind: at, Advertise: at, Key: bytes.Repeat([]byte{1}, 32), Meta: Meta{Region: name, Address: name},
		Output: io.Discard, OnFatal: func(err error) { t.Errorf("fatal: %v", err) }, Transport: newTransport(t, n.Host(ip), ip)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Stop() })
	return g
}

// within polls a condition in virtual time.
func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > d {
			t.Fatalf("%s did not come within %v", what, d)
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Logf("%s came after %v", what, time.Since(start).Round(50*time.Millisecond))
}

// TestRumourFollowsThePartition lets a region be cut off from two others, with one packet in twenty lost.
func TestRumourFollowsThePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { <-time.After(time.Minute) }) // probes that are under way outlive memberlist
		n := simnet.New(1, 100*time.Millisecond)
		n.Lose(0.05)
		ips := map[string]string{"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}
		all := map[string]*Gossip{}
		for name, ip := range ips {
			all[name] = startSim(t, n, name, ip)
		}
		join := func() {
			if err := all["a"].Join(t.Context(), []string{ips["b"] + ":7946", ips["c"] + ":7946"}); err != nil {
				t.Fatal(err)
			}
		}
		sees := func(who string, want Alive, whom ...string) func() bool {
			return func() bool {
				for _, name := range whom {
					if all[who].State(name) != want {
						return false
					}
				}
				return true
			}
		}
		join()
		within(t, 10*time.Second, "everyone at b", sees("b", IsAlive, "a", "b", "c"))
		within(t, 10*time.Second, "everyone at c", sees("c", IsAlive, "a", "b", "c"))
		n.Isolate(ips["c"])
		within(t, 2*time.Minute, "c's death at a", sees("a", IsDead, "c"))
		within(t, 2*time.Minute, "the others' death at c", sees("c", IsDead, "a", "b"))
		n.HealAll()
		join() // as a node does for those that it misses
		within(t, time.Minute, "c's return at b", sees("b", IsAlive, "c"))
		within(t, time.Minute, "the others' return at c", sees("c", IsAlive, "a", "b"))
	})
}
