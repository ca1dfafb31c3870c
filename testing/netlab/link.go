package netlab

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// link joins two regions. Exactly one of veth and the two devices with their relays is in use.
type link struct {
	a, b    *namespace
	veth    bool
	devices [2]*tun   // at a, at b
	relays  [2]*relay // from a, from b
	cut     atomic.Bool
}

// connect makes the link of a and b, whose lines share their rates among all their links.
func (l *Lab) connect(a, b *namespace, lineA, lineB *line) (*link, error) {
	k := &link{a: a, b: b, veth: l.options.RTT == 0 && l.options.RateMbit == 0}
	if err := k.devicesUp(); err != nil {
		return nil, errors.Join(err, k.close())
	}
	if k.veth {
		return k, nil
	}
	for i, d := range []struct {
		from, to         *tun
		sender, receiver *line
	}{
		{k.devices[0], k.devices[1], lineA, lineB},
		{k.devices[1], k.devices[0], lineB, lineA},
	} {
		k.relays[i] = &relay{
			from: d.from, to: d.to, cut: &k.cut,
			rate: int64(l.options.RateMbit) * 1e6, up: &d.sender.up, down: &d.receiver.down,
			queue: make(chan packet, maxQueued),
		}
	}
	k.setRTT(l.options.RTT)
	for _, r := range k.relays {
		l.relays.Go(func() error { return r.read(l.ctx) })
		l.relays.Go(func() error { return r.write(l.ctx) })
	}
	return k, nil
}

func (k *link) setRTT(d time.Duration) {
	k.relays[0].delay.Store(int64(d / 2))
	k.relays[1].delay.Store(int64(d - d/2))
}

// devicesUp makes the devices at both ends, and the routes over them.
func (k *link) devicesUp() (err error) {
	if k.veth {
		err = k.a.ip(fmt.Sprintf("link add %s type veth peer name %s netns %s", k.b.device(), k.a.device(), k.b.path()))
	} else {
		if k.devices[0], err = k.a.openTUN(k.b.device()); err == nil {
			k.devices[1], err = k.b.openTUN(k.a.device())
		}
	}
	for _, end := range [][2]*namespace{{k.a, k.b}, {k.b, k.a}} {
		if err == nil {
			at, to := end[0], end[1]
			err = at.ip("link set "+to.device()+" up txqueuelen 4000",
				fmt.Sprintf("route add %s dev %s src %s", to.subnet(), to.device(), at.addr(0)))
		}
	}
	return err
}

// peer returns the other end, or nil where ns is not an end of the link.
func (k *link) peer(ns *namespace) *namespace {
	switch ns {
	case k.a:
		return k.b
	case k.b:
		return k.a
	}
	return nil
}

// setCut makes the link drop everything, or carry again.
func (k *link) setCut(cut bool) error {
	if was := k.cut.Swap(cut); was == cut || !k.veth {
		return nil // the relays look at it
	}
	verb := "del"
	if cut {
		verb = "add"
	}
	// What arrives is dropped; what is sent is not, so that senders notice nothing.
	rule := func(from *namespace) string {
		return fmt.Sprintf("rule %s pref %d iif %s blackhole", verb, 10+from.index, from.device())
	}
	return errors.Join(k.a.ip(rule(k.b)), k.b.ip(rule(k.a)))
}

// close removes the TUN devices; veth pairs go with their namespaces.
func (k *link) close() error {
	var errs []error
	for _, d := range k.devices {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}
