package netlab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// hubIndex is the hub's place in the address plan: behind every region.
const hubIndex = 255

// uplink is the name of a region's line to the hub, in the region.
const uplink = "line"

// minBurst is what a shaped line may send at once: the largest segment that the kernel hands over whole.
const minBurst = 64 << 10

// hub is a router in the middle: a namespace that each region has one line to.
type hub struct {
	ns *namespace

	mu  sync.Mutex
	cut map[string]bool // by rule
}

func newHub(regions []*namespace, rateMbit int) (*hub, error) {
	ns, err := newNamespace(hubIndex, "hub")
	if err != nil {
		return nil, err
	}
	h := &hub{ns: ns, cut: map[string]bool{}}
	err = h.forward()
	for _, r := range regions {
		if err == nil {
			err = h.connect(r, rateMbit)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hub: %w", err), ns.handle.Close())
	}
	return h, nil
}

// forward makes the namespace a router.
func (h *hub) forward() error {
	return h.ns.do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
	})
}

// connect makes a region's line, whose far end is named after the region.
func (h *hub) connect(r *namespace, rateMbit int) error {
	const all = "10.77.0.0/16"
	err := r.ip(
		fmt.Sprintf("link add %s type veth peer name %s netns %s", uplink, r.device(), h.ns.path()),
		"link set "+uplink+" up txqueuelen 4000",
		fmt.Sprintf("route add %s via %s dev %s onlink src %s", all, h.ns.addr(0), uplink, r.addr(0)))
	if err == nil {
		err = h.ns.ip("link set "+r.device()+" up txqueuelen 4000", fmt.Sprintf("route add %s dev %s", r.subnet(), r.device()))
	}
	if err == nil && rateMbit > 0 {
		err = errors.Join(r.shape(uplink, rateMbit), h.ns.shape(r.device(), rateMbit))
	}
	if err != nil {
		return fmt.Errorf("line of %s: %w", r.name, err)
	}
	return nil
}

// shape bounds what a device sends. What waits longer than maxBacklog would take is dropped.
func (ns *namespace) shape(device string, rateMbit int) error {
	perSecond := rateMbit * 1e6 / 8
	return ns.tc(
		fmt.Sprintf("qdisc add dev %s root handle 1: htb default 1", device),
		fmt.Sprintf("class add dev %s parent 1: classid 1:1 htb rate %dmbit burst %d cburst %d quantum %d",
			device, rateMbit, max(minBurst, perSecond/500), max(minBurst, perSecond/500), minBurst),
		fmt.Sprintf("qdisc add dev %s parent 1:1 bfifo limit %d", device, max(4*minBurst, int(float64(perSecond)*maxBacklog.Seconds()))))
}

// tc runs commands of iproute2's traffic control in the namespace.
func (ns *namespace) tc(script ...string) error {
	return ns.do(func() error {
		cmd := exec.Command("tc", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(script, "\n") + "\n")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("tc: %w\n%s", err, out.Bytes())
		}
		return nil
	})
}

// setCut changes what passes between a region and the one with a name, or with no name all others.
func (h *hub) setCut(cut bool, region *namespace, name string, regions []*namespace) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range regions {
		if other == region || name != "" && other.name != name {
			continue
		}
		for _, way := range [][2]*namespace{{region, other}, {other, region}} {
			if err := h.rule(cut, way[0], way[1]); err != nil {
				return fmt.Errorf("cut %s from %s: %w", region.name, other.name, err)
			}
		}
	}
	return nil
}

// rule makes the hub drop silently what one region sends to another, or forward it again.
func (h *hub) rule(cut bool, from, to *namespace) error {
	rule := fmt.Sprintf("pref 10 iif %s to %s blackhole", from.device(), to.subnet())
	if h.cut[rule] == cut {
		return nil
	}
	verb := "del"
	if cut {
		verb = "add"
	}
	if err := h.ns.ip("rule " + verb + " " + rule); err != nil {
		return err
	}
	h.cut[rule] = cut
	return nil
}
