package netlab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Traffic counts bytes of IP packets, headers included, as the kernel counts them at an interface
// of the region. Segments that cross whole count one header. A veth counts its 14 bytes of
// Ethernet header per packet as well.
type Traffic struct {
	Received, Sent int64
}

// Counters returns what a region has exchanged with all others since the lab began. What its own
// hosts say to each other is not in it.
func (l *Lab) Counters(region string) (Traffic, error) {
	all, err := l.region(region).traffic()
	var sum Traffic
	for _, t := range all {
		sum.Received += t.Received
		sum.Sent += t.Sent
	}
	return sum, err
}

// Between returns what region has received from, and sent to, another region. It returns
// ErrOneLine where the lab has a hub.
func (l *Lab) Between(region, other string) (Traffic, error) {
	if l.hub != nil {
		return Traffic{}, ErrOneLine
	}
	all, err := l.region(region).traffic()
	return all[l.region(other).device()], err
}

// traffic returns the counters of every device but the loopback.
func (ns *namespace) traffic() (map[string]Traffic, error) {
	all := map[string]Traffic{}
	err := ns.do(func() error {
		f, err := os.Open("/proc/thread-self/net/dev")
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			name, rest, ok := strings.Cut(lines.Text(), ":")
			if name = strings.TrimSpace(name); !ok || name == "lo" {
				continue
			}
			var t Traffic
			var skip [7]int64 // packets, errors and the like
			if _, err := fmt.Sscan(rest, &t.Received, &skip[0], &skip[1], &skip[2], &skip[3], &skip[4], &skip[5], &skip[6], &t.Sent); err != nil {
				return errors.Join(fmt.Errorf("counters of %s: %w", name, err), f.Close())
			}
			all[name] = t
		}
		return errors.Join(lines.Err(), f.Close())
	})
	if err != nil {
		return nil, fmt.Errorf("counters of region %s: %w", ns.name, err)
	}
	return all, nil
}
