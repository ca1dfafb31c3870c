package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"loggia/testing/clusterlab"
	"loggia/testing/disks"
)

// The set-up of transfers: a client, the region it publishes in, and the one that copies, each in a
// network of its own with a line that makes a transfer last.
const (
	client   = "client"
	source   = "source"
	target   = "target"
	witness  = "witness"
	lineMbit = 400
	diskSize = 192 << 20 // does not compress: stored bytes are guest bytes

	// limit is the most stored bytes that a kill may make go over a link again.
	limit = 64 << 20
)

type transferLab struct {
	*lab
	c        *clusterlab.Cluster
	overhead map[string]float64 // bytes on a link for each stored byte, where nothing goes wrong
	serial   int
}

func (l *lab) transfers(kinds []string) (err error) {
	dir := filepath.Join(l.dir, "transfers")
	fmt.Printf("== kill -9 in the middle of transfers: %d MiB that do not compress, lines of %d Mbit/s, bytes by the kernel's counters\n", diskSize>>20, lineMbit)
	t := &transferLab{lab: l, overhead: map[string]float64{}}
	t.c, err = clusterlab.New(l.ctx, clusterlab.Options{Loggia: l.loggia, Dir: dir, Regions: []string{source, target, witness},
		Extra: []string{client}, Networks: true, RateMbit: lineMbit})
	if err != nil {
		return err
	}
	defer func() {
		if e := t.c.Close(); err == nil {
			err = e
		}
	}()
	if err := t.calibrate(); err != nil {
		return err
	}
	for _, k := range kinds {
		if err := t.kind(k); err != nil {
			return fmt.Errorf("kind %s: %w", k, err)
		}
	}
	return nil
}

// disk makes an image that nobody has seen and returns its path and the name to publish it under.
func (t *transferLab) disk() (string, string, error) {
	t.serial++
	file := filepath.Join(t.dir, "disk.raw")
	return file, fmt.Sprintf("faults/disk/1.0.%d", t.serial), disks.Random(file, diskSize, t.rng.Uint64())
}

// sent is what one side of a link has sent to the other, by the kernel's counters.
func (t *transferLab) sent(from, to string) int64 {
	n, err := t.c.Lab.Between(to, from)
	if err != nil {
		panic(err) // the lab is there as long as the test is
	}
	return n.Received
}

// calibrate measures an undisturbed transfer: what a stored byte costs on the link.
func (t *transferLab) calibrate() error {
	file, name, err := t.disk()
	if err != nil {
		return err
	}
	up, across := t.sent(client, source), t.sent(source, target)
	if err := t.publish(file, name).Run(); err != nil {
		return err
	}
	t.overhead["publish"] = float64(t.sent(client, source)-up) / diskSize
	t.overhead["replicate"] = float64(t.sent(source, target)-across) / diskSize
	fmt.Printf("undisturbed, a stored byte costs %.3f bytes on the link in a publish, %.3f in a replication\n", t.overhead["publish"], t.overhead["replicate"])
	return t.verify(file, name)
}

func (t *transferLab) publish(file, name string) *exec.Cmd {
	return t.c.CLI(t.ctx, client, "publish", file, name, "--regions", source+","+target, "--base", "")
}

// A kill counts only between these parts of the transfer's bytes.
const (
	earliest = 0.10
	latest   = 0.90
)

// kill is what one kill came to.
type kill struct {
	at    float64 // part of the phase's bytes that had crossed the link when the process was gone
	again int64   // stored bytes that crossed twice
}

// kind kills one party at random moments, as often as asked. A process that was gone only when the
// transfer was nearly done does not count: another round is made for it.
func (t *transferLab) kind(kind string) error {
	var again []int64
	var took []time.Duration
	for round := 0; len(again) < t.count; round++ {
		if round > 2*t.count+5 {
			return fmt.Errorf("only %d of %d kills met the transfer", len(again), round)
		}
		phase := "publish"
		if kind == "target" || kind == "source" && len(again)%2 == 1 {
			phase = "replicate"
		}
		aim := 0.12 + 0.74*t.rng.Float64()
		began := time.Now()
		k, err := t.once(kind, phase, aim)
		if err != nil {
			return fmt.Errorf("round %d, killed at %.0f %% of the %s: %w", round+1, 100*aim, phase, err)
		}
		note := ""
		if k.at < earliest || k.at > latest {
			note = ", not counted"
		}
		fmt.Printf("   %-7s killed at %2.0f %% of the %-9s  %5.1f MiB sent again, done after %s%s\n", kind, 100*k.at, phase, float64(k.again)/(1<<20), time.Since(began).Round(100*time.Millisecond), note)
		if note == "" {
			again, took = append(again, k.again), append(took, time.Since(began))
		}
	}
	worst := slices.Max(again)
	t.check(worst <= limit, "kill -9 of the %s: %d times between %.0f and %.0f %%, worst %.1f MiB of stored bytes sent again (at most %d MiB), all verified, longest %s",
		map[string]string{"cli": "publishing CLI", "source": "source node", "target": "target node"}[kind], len(again), 100*earliest, 100*latest, float64(worst)/(1<<20), limit>>20, slices.Max(took).Round(100*time.Millisecond))
	return nil
}

// once publishes a fresh disk, kills when that part of the phase's bytes has crossed the link, lets
// it go on, verifies, and says what that cost.
func (t *transferLab) once(kind, phase string, aim float64) (kill, error) {
	var k kill
	file, name, err := t.disk()
	if err != nil {
		return k, err
	}
	from, to := client, source
	if phase == "replicate" {
		from, to = source, target
	}
	before := t.sent(from, to)
	stored := func() float64 { return float64(t.sent(from, to)-before) / t.overhead[phase] }
	cmd := t.publish(file, name)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return k, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := t.await(func() bool { return stored() >= aim*diskSize }, ended); err != nil {
		return k, fmt.Errorf("the moment did not come: %w\n%s", err, said.String())
	}
	gone := func() { k.at = stored() / diskSize }
	if kind == "cli" {
		err = t.killClient(cmd, ended, gone, file, name)
	} else {
		err = t.killNode(kind, ended, gone)
	}
	if err != nil {
		return k, fmt.Errorf("%w\n%s", err, said.String())
	}
	k.again = max(0, int64(stored())-diskSize)
	if err := t.c.WaitReady(t.ctx, source); err != nil {
		return k, err
	}
	return k, t.verify(file, name)
}

// killClient kills the publishing command, and gives it again.
func (t *transferLab) killClient(cmd *exec.Cmd, ended <-chan error, gone func(), file, name string) error {
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	<-ended
	gone()
	if out, err := t.publish(file, name).CombinedOutput(); err != nil {
		return fmt.Errorf("publish again: %w\n%s", err, out)
	}
	return nil
}

// killNode kills a region's node and starts it again; the publish goes on by itself.
func (t *transferLab) killNode(region string, ended <-chan error, gone func()) error {
	if err := t.c.Node(region).Kill(); err != nil {
		return err
	}
	gone()
	if err := t.c.Start(t.ctx, region); err != nil {
		return err
	}
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("the publish did not survive: %w", err)
		}
		return nil
	case <-time.After(5 * time.Minute):
		return errors.New("the publish hangs")
	}
}

// await polls closely: the moment of a kill must be met. It waits five minutes at most.
func (t *transferLab) await(ok func() bool, ended <-chan error) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(5 * time.Minute)
	defer late.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case err := <-ended:
			return fmt.Errorf("the transfer ended before: %v", err)
		case <-late.C:
			return errors.New("the moment did not come in 5 minutes")
		case <-t.ctx.Done():
			return t.ctx.Err()
		}
	}
	return nil
}

// verify waits for the target, pulls there, compares every byte, and deletes the version.
func (t *transferLab) verify(file, name string) error {
	ctx, cancel := context.WithTimeout(t.ctx, 3*time.Minute)
	defer cancel()
	if _, err := t.c.Run(ctx, io.Discard, target, "wait", name, "--through-failures"); err != nil {
		return err
	}
	out := filepath.Join(t.dir, "pulled.raw")
	if _, err := t.c.Run(ctx, io.Discard, target, "pull", name, "-o", out); err != nil {
		return err
	}
	if msg, err := exec.CommandContext(ctx, "cmp", file, out).CombinedOutput(); err != nil {
		return fmt.Errorf("what was pulled differs: %s", strings.TrimSpace(string(msg)))
	}
	if err := os.Remove(out); err != nil {
		return err
	}
	_, err := t.c.Run(ctx, io.Discard, witness, "version", "delete", name)
	return err
}
