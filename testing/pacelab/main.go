// Command pacelab holds limits to their word: it sets and changes them on a real cluster while copies run, and compares with the kernel's counters.
package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"loggia/testing/clusterlab"
)

// The measures of the proof.
const (
	window    = 10 * time.Second
	tolerance = 0.05             // above a limit
	unused    = 0.15             // below it: what copies leave of a limit, as when the machine is busy with something else, says nothing of the limit
	settle    = time.Second      // after which a change must have taken effect
	phaseTime = 13 * time.Second // of each limit
	look      = 100 * time.Millisecond
)

func main() {
	loggia := flag.String("loggia", "bin/loggia", "the binary")
	rtt := flag.Duration("rtt", 0, "round trip between regions; 0: veth pairs, whose packets are up to 64 KiB")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *loggia, *rtt); err != nil {
		fmt.Fprintln(os.Stderr, "pacelab: FAILED: "+err.Error())
		os.Exit(1)
	}
}

// lab is a cluster of four regions, and what it said that is wrong.
type lab struct {
	ctx   context.Context
	dir   string
	c     *clusterlab.Cluster
	wrong []string
}

func run(ctx context.Context, loggia string, rtt time.Duration) (err error) {
	binary, err := filepath.Abs(loggia)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "loggia-pace-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := clusterlab.New(ctx, clusterlab.Options{Loggia: binary, Dir: dir, Regions: []string{"a", "b", "c", "d"}, Networks: true, RTT: rtt})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	l := &lab{ctx: ctx, dir: dir, c: c}
	fmt.Printf("limits against the kernel's counters, in windows of %s; round trip %s\n", window, rtt)
	for _, step := range []func() error{l.pair, l.out, l.in} {
		if err := step(); err != nil {
			return err
		}
	}
	if len(l.wrong) > 0 {
		return errors.New(strings.Join(l.wrong, "; "))
	}
	fmt.Println("all limits hold")
	return nil
}

// publish makes a version of a disk that does not compress, and returns its name.
func (l *lab) publish(mib int64, number, at string, regions string) (string, error) {
	file := filepath.Join(l.dir, "disk.raw")
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return "", err
	}
	if _, err := io.CopyN(cipher.StreamWriter{S: cipher.NewCTR(block, make([]byte, 16)), W: f}, zeros{}, mib<<20); err != nil {
		return "", err
	}
	name := "pace/disk/" + number
	return name, l.do(at, "publish", file, name, "--regions", regions, "--wait", "local", "--base", "")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func (l *lab) do(at string, args ...string) error {
	_, err := l.c.Run(l.ctx, os.Stderr, at, args...)
	return err
}

// received is what regions have got from others, by the kernel's counters.
func (l *lab) received(pairs [][2]string) (int64, error) {
	var sum int64
	for _, p := range pairs {
		n, err := l.c.Lab.Between(p[1], p[0])
		if err != nil {
			return 0, err
		}
		sum += n.Received
	}
	return sum, nil
}

// hold sets a limit while bytes flow and holds every window to it, from a second after the change on.
func (l *lab) hold(what string, mbit int, flags []string, pairs ...[2]string) error {
	if err := l.do("d", append([]string{"limit", "set", fmt.Sprintf("%dMbit/s", mbit)}, flags...)...); err != nil {
		return err
	}
	if err := l.pause(settle); err != nil {
		return err
	}
	type sample struct {
		at time.Time
		n  int64
	}
	var samples []sample
	limit := float64(mbit) * 1e6 / 8
	least, most := 1e18, 0.0
	for began := time.Now(); time.Since(began) < phaseTime; {
		n, err := l.received(pairs)
		if err != nil {
			return err
		}
		now := sample{time.Now(), n}
		samples = append(samples, now)
		for now.at.Sub(samples[0].at) >= window+look {
			samples = samples[1:]
		}
		if d := now.at.Sub(samples[0].at); d >= window {
			rate := float64(now.n-samples[0].n) / d.Seconds()
			least, most = min(least, rate), max(most, rate)
		}
		if err := l.pause(look); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%-34s %4d Mbit/s: windows from %.1f to %.1f Mbit/s (%+.1f %% to %+.1f %%)", what, mbit, least*8e-6, most*8e-6, 100*(least/limit-1), 100*(most/limit-1))
	if most > limit*(1+tolerance) || least < limit*(1-unused) {
		l.wrong = append(l.wrong, text)
		fmt.Println("WRONG: " + text)
		return nil
	}
	fmt.Println("ok:    " + text)
	return nil
}

func (l *lab) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

// begin starts copies under a small limit, so that nothing is done before the first phase.
func (l *lab) begin(flags []string, mib int64, number, at, regions string) (name string, err error) {
	if err := l.do("d", append([]string{"limit", "set", "8Mbit/s"}, flags...)...); err != nil {
		return "", err
	}
	return l.publish(mib, number, at, regions)
}

// finish lifts a limit, and lets the copies end or takes them away.
func (l *lab) finish(flags []string, name string, keep bool) error {
	if err := l.do("d", append([]string{"limit", "remove"}, flags...)...); err != nil {
		return err
	}
	if keep {
		return l.do("d", "wait", name, "--timeout", "5m")
	}
	return l.do("d", "version", "delete", name)
}

// pair changes the limit of one pair of regions up and down.
func (l *lab) pair() error {
	flags := []string{"--from", "a", "--to", "b"}
	name, err := l.begin(flags, 600, "1.0.0", "a", "a,b")
	if err != nil {
		return err
	}
	for _, mbit := range []int{100, 20, 150} {
		if err := l.hold("pair a->b", mbit, flags, [2]string{"a", "b"}); err != nil {
			return err
		}
	}
	return l.finish(flags, name, false)
}

// out limits what leaves a region that two others copy from.
func (l *lab) out() error {
	flags := []string{"--from", "a"}
	name, err := l.begin(flags, 260, "2.0.0", "a", "a,b,c")
	if err != nil {
		return err
	}
	if err := l.hold("out of a, to b and c", 120, flags, [2]string{"a", "b"}, [2]string{"a", "c"}); err != nil {
		return err
	}
	return l.finish(flags, name, true)
}

// in limits what arrives in a region that copies from three others, which hold the version of out.
func (l *lab) in() error {
	flags := []string{"--to", "d"}
	if err := l.do("d", "limit", "set", "8Mbit/s", "--to", "d"); err != nil {
		return err
	}
	if err := l.do("d", "version", "update", "pace/disk/2.0.0", "--regions", "a,b,c,d"); err != nil {
		return err
	}
	if err := l.hold("into d, from a, b and c", 100, flags, [2]string{"a", "d"}, [2]string{"b", "d"}, [2]string{"c", "d"}); err != nil {
		return err
	}
	return l.finish(flags, "pace/disk/2.0.0", true)
}
