package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"loggia/testing/netlab"
)

const (
	near = "near"
	far  = "far"
)

// rig shows what the rig itself carries over the long line.
func (b *bench) rig(ctx context.Context) error {
	f, err := b.alone(ctx, b.Far, b.Streams, int64(b.MiB)<<20)
	b.AtLeast("the rig alone: share of the line in its best "+window.String(), f.best(b.RateMbit), 0.95, "")
	return err
}

// alone sends bytes over a line in plain TCP streams: no copy is quicker.
func (b *bench) alone(ctx context.Context, rtt time.Duration, n int, bytes int64) (f flow, err error) {
	lab, err := netlab.New(netlab.Options{Regions: []string{near, far}, RTT: rtt, RateMbit: b.RateMbit, TCPBuffer: b.Buffer})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	f, err = observe(ctx, lab, near, far, fmt.Sprintf("the rig alone, %d TCP streams", n), func() error {
		return streams(ctx, lab, n, bytes)
	})
	f.RTT = rtt
	b.Flows = append(b.Flows, f)
	return f, err
}

// streams sends bytes from near to far, shared among n connections.
func streams(ctx context.Context, lab *netlab.Lab, n int, bytes int64) error {
	ln, err := lab.Listen(ctx, far, "tcp", netip.AddrPortFrom(lab.Addr(far, 0), 0).String())
	if err != nil {
		return err
	}
	conns := [2][]net.Conn{make([]net.Conn, n), make([]net.Conn, n)} // in no order: any end sends or takes in as much
	var dials errgroup.Group
	for i := range n {
		dials.Go(func() (err error) {
			conns[0][i], err = lab.Dial(ctx, near, "tcp", ln.Addr().String())
			return err
		})
		dials.Go(func() (err error) {
			conns[1][i], err = ln.Accept()
			return err
		})
	}
	if err := dials.Wait(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() {
		for _, c := range append(conns[0], conns[1]...) {
			_ = c.Close() // so that nobody waits for it
		}
	})
	defer stop()
	for i := range n {
		g.Go(func() error {
			buf := make([]byte, 256<<10)
			for left := bytes / int64(n); left > 0; left -= int64(len(buf)) {
				if _, err := conns[0][i].Write(buf[:min(left, int64(len(buf)))]); err != nil {
					return err
				}
			}
			return conns[0][i].Close()
		})
		g.Go(func() error {
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conns[1][i]}, make([]byte, 256<<10))
			return errors.Join(err, conns[1][i].Close())
		})
	}
	return errors.Join(g.Wait(), ln.Close())
}
