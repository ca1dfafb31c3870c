package netlab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of a lab.
const (
	MaxRegions = 16
	MaxHosts   = 16 // addresses per region
	maxName    = 12 // "to-" and the name are an interface's name, which has 15 bytes
	maxRTT     = 10 * time.Second

	minTCPBuffer = 128 << 10 // the kernel's default at the start of a connection
	maxTCPBuffer = 1 << 30   // the kernel's limit of a window
)

// ErrForbidden says that this environment does not let us make network namespaces.
var ErrForbidden = errors.New("network namespaces are forbidden here: they need root (CAP_SYS_ADMIN, CAP_NET_ADMIN) and /dev/net/tun")

// ErrNoRelay says that the kernel carries the packets of the lab: it was made without distance and
// rate, or with a hub.
var ErrNoRelay = errors.New("the lab was made without a round trip and without a rate, or with a hub")

// ErrOneLine says that the lab has a hub: what a region exchanges with one other is not counted.
var ErrOneLine = errors.New("regions with a hub have one line each, which counts what they exchange with all others")

// Options describe a lab.
type Options struct {
	Regions  []string
	RTT      time.Duration // between any two regions
	RateMbit int           // of each region's line, each way, in 10^6 bit/s; 0 is no limit

	// Hub gives each region one line to a router in the middle instead of a link to every other
	// region. The kernel carries the packets and shapes both ends of a line (HTB), so there is no
	// distance, and an interface counts all that crosses the region's line.
	Hub bool

	// TCPBuffer is the most that a TCP socket may buffer each way, in bytes, and so what bounds one
	// stream over a distance; 0 leaves the kernel's own (tcp_rmem, tcp_wmem).
	TCPBuffer int
}

// Validate reports every fault at once.
func (o Options) Validate() error {
	var errs []error
	if len(o.Regions) == 0 || len(o.Regions) > MaxRegions {
		errs = append(errs, fmt.Errorf("regions: got %d, want 1 to %d", len(o.Regions), MaxRegions))
	}
	seen := map[string]bool{}
	for _, r := range o.Regions {
		if r == "" || len(r) > maxName {
			errs = append(errs, fmt.Errorf("region %q: want a name of 1 to %d bytes", r, maxName))
		}
		if seen[r] {
			errs = append(errs, fmt.Errorf("region %q: named twice", r))
		}
		seen[r] = true
	}
	errs = append(errs, validRTT(o.RTT))
	if o.Hub && o.RTT != 0 {
		errs = append(errs, fmt.Errorf("round trip %s: want 0 with a hub, whose packets the kernel carries", o.RTT))
	}
	if o.RateMbit < 0 {
		errs = append(errs, fmt.Errorf("rate %d Mbit/s: want 0 or more", o.RateMbit))
	}
	if o.TCPBuffer != 0 && (o.TCPBuffer < minTCPBuffer || o.TCPBuffer > maxTCPBuffer) {
		errs = append(errs, fmt.Errorf("TCP buffer %d: want %d to %d bytes, or 0 for the kernel's", o.TCPBuffer, minTCPBuffer, maxTCPBuffer))
	}
	return errors.Join(errs...)
}

func validRTT(d time.Duration) error {
	if d < 0 || d > maxRTT {
		return fmt.Errorf("round trip %s: want 0 to %s", d, maxRTT)
	}
	return nil
}

// Lab is a set of regions. Its methods may be called concurrently.
type Lab struct {
	options Options
	regions []*namespace
	links   []*link // one per pair, but none with a hub
	hub     *hub    // nil without Options.Hub
	ctx     context.Context
	cancel  context.CancelFunc // kills the commands and stops the relays
	relays  errgroup.Group
}

// New makes the regions and their links, and ends what labs of crashed processes have left
// running. Errors wrap ErrForbidden where the environment refuses.
func New(o Options) (*Lab, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("network lab: %w", err)
	}
	l := &Lab{options: o}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if err := l.build(); err != nil {
		return nil, errors.Join(fmt.Errorf("network lab: %w", err), l.Close())
	}
	if err := sweep(); err != nil {
		return nil, errors.Join(fmt.Errorf("network lab: end what a crashed lab left: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lab) build() error {
	for i, name := range l.options.Regions {
		ns, err := newNamespace(i, name)
		if err != nil {
			return err
		}
		l.regions = append(l.regions, ns)
		if err := ns.setTCPBuffer(l.options.TCPBuffer); err != nil {
			return fmt.Errorf("region %s: %w", name, err)
		}
	}
	if l.options.Hub {
		var err error
		l.hub, err = newHub(l.regions, l.options.RateMbit)
		return err
	}
	lines := make([]line, len(l.regions))
	for i, a := range l.regions {
		for j := i + 1; j < len(l.regions); j++ {
			k, err := l.connect(a, l.regions[j], &lines[i], &lines[j])
			if err != nil {
				return fmt.Errorf("link %s to %s: %w", a.name, l.regions[j].name, err)
			}
			l.links = append(l.links, k)
		}
	}
	return nil
}

// Addr returns the address of a host of a region: 10.77.<region>.<10+host>. All hosts of a region
// share one network namespace. It panics on a region or host that the lab does not have.
func (l *Lab) Addr(region string, host int) netip.Addr {
	if host < 0 || host >= MaxHosts {
		panic(fmt.Sprintf("netlab: host %d of %s", host, region))
	}
	return l.region(region).addr(host)
}

func (l *Lab) region(name string) *namespace {
	for _, ns := range l.regions {
		if ns.name == name {
			return ns
		}
	}
	panic(fmt.Sprintf("netlab: no region %q", name))
}

// SetRTT changes the round trip between any two regions for packets that are sent from now on. It
// returns ErrNoRelay where the lab has nothing to delay them with.
func (l *Lab) SetRTT(d time.Duration) error {
	if err := validRTT(d); err != nil {
		return err
	}
	if l.hub != nil {
		return ErrNoRelay
	}
	for _, k := range l.links {
		if k.veth {
			return ErrNoRelay
		}
		k.setRTT(d)
	}
	return nil
}

// Cut drops, silently, every packet between two regions; Join ends that.
func (l *Lab) Cut(a, b string) error { return l.setCut(true, a, b) }

// Join undoes Cut.
func (l *Lab) Join(a, b string) error { return l.setCut(false, a, b) }

// Partition cuts a region off from all others.
func (l *Lab) Partition(region string) error { return l.setCut(true, region, "") }

// Heal joins a region with all others.
func (l *Lab) Heal(region string) error { return l.setCut(false, region, "") }

// setCut changes the link of a and b, or with an empty b every link of a.
func (l *Lab) setCut(cut bool, a, b string) error {
	ra := l.region(a)
	if b != "" {
		l.region(b) // panics when unknown
	}
	if l.hub != nil {
		return l.hub.setCut(cut, ra, b, l.regions)
	}
	for _, k := range l.links {
		other := k.peer(ra)
		if other == nil || (b != "" && other.name != b) {
			continue
		}
		if err := k.setCut(cut); err != nil {
			return fmt.Errorf("cut link %s to %s: %w", k.a.name, k.b.name, err)
		}
	}
	return nil
}

func (l *Lab) inodes() map[uint64]bool {
	all := map[uint64]bool{}
	for _, ns := range l.regions {
		all[ns.inode] = true
	}
	if l.hub != nil {
		all[l.hub.ns.inode] = true
	}
	return all
}

// Close kills every process in the lab, grandchildren too, and removes the lab. Whoever started a
// command still has to Wait for it.
func (l *Lab) Close() error {
	l.cancel()
	errs := []error{kill(l.inodes())}
	for _, k := range l.links {
		errs = append(errs, k.close())
	}
	errs = append(errs, l.relays.Wait())
	for _, ns := range l.regions {
		errs = append(errs, ns.handle.Close())
	}
	if l.hub != nil {
		errs = append(errs, l.hub.ns.handle.Close())
		l.hub = nil
	}
	l.links, l.regions = nil, nil
	return errors.Join(errs...)
}
