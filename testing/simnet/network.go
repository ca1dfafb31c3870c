package simnet

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Network joins hosts. It is safe for use by many goroutines, and made for a testing/synctest bubble:
// whatever waits, waits on channels and timers.
//
// A cut link is a black hole, as in the real world: nothing arrives and nobody is told. Streams
// keep what was sent and deliver it, in order, once the link is healed; packets are lost.
type Network struct {
	delay time.Duration // one way, on average

	mu    sync.Mutex
	rand  *rand.Rand
	hosts map[string]*Host
	cuts  map[link]time.Time // since when
	pipes map[*pipe]bool
	loss  float64
}

// link has the lesser name first.
type link [2]string

func between(a, b string) link {
	if b < a {
		a, b = b, a
	}
	return link{a, b}
}

// New returns a network whose links have that round trip, give or take a tenth: the seed decides.
func New(seed uint64, rtt time.Duration) *Network {
	return &Network{delay: rtt / 2, rand: rand.New(rand.NewPCG(seed, 0)), hosts: map[string]*Host{}, cuts: map[link]time.Time{}, pipes: map[*pipe]bool{}}
}

// Host adds a host.
func (n *Network) Host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &Host{net: n, name: name, ports: map[string]*listener{}}
	n.hosts[name] = h
	return h
}

// Lose makes the network drop that part of all packets, between 0 and 1. Streams repair such losses.
func (n *Network) Lose(part float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = part
}

// Cut cuts the link between two hosts.
func (n *Network) Cut(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.cuts[between(a, b)]; !ok && a != b {
		n.cuts[between(a, b)] = time.Now()
	}
}

// Heal mends the link between two hosts.
func (n *Network) Heal(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.healLocked(between(a, b))
}

func (n *Network) healLocked(l link) {
	since, ok := n.cuts[l]
	if !ok {
		return
	}
	delete(n.cuts, l)
	for p := range n.pipes {
		if p.link == l {
			p.healedLocked(since)
		}
	}
}

// Isolate cuts all links of a host.
func (n *Network) Isolate(name string) {
	for _, other := range n.names() {
		n.Cut(name, other)
	}
}

// Partition leaves only the links inside each group.
func (n *Network) Partition(groups ...[]string) {
	side := map[string]int{}
	for i, g := range groups {
		for _, name := range g {
			side[name] = i + 1
		}
	}
	all := n.names()
	for i, a := range all {
		for _, b := range all[i+1:] {
			if side[a] == side[b] {
				n.Heal(a, b)
			} else {
				n.Cut(a, b)
			}
		}
	}
}

// HealAll mends every link.
func (n *Network) HealAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.cuts {
		n.healLocked(l)
	}
}

func (n *Network) names() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for name := range n.hosts {
		out = append(out, name)
	}
	return out
}

func (n *Network) cut(l link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.cuts[l]
	return ok
}

// way is how long the next message of a link takes.
func (n *Network) way(l link) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.wayLocked(l)
}

func (n *Network) wayLocked(l link) time.Duration {
	if l[0] == l[1] {
		return 0
	}
	return time.Duration(float64(n.delay) * (0.9 + 0.2*n.rand.Float64()))
}

// drops says whether the next packet is lost.
func (n *Network) drops(l link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, cut := n.cuts[l]
	return cut || n.rand.Float64() < n.loss
}

func (n *Network) host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[name]
}
