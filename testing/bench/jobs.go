package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"loggia/testing/clusterlab"
	"loggia/testing/measure"
)

const (
	home = "home"
	away = "away"
	rest = "rest"
)

// result is one job's cost.
type result struct {
	wall   time.Duration
	cpu    time.Duration // of the command and of all daemons
	data   int64         // guest bytes that are no hole
	link   int64         // bytes that crossed from home to away, by the kernel's counters
	client int64         // peak RSS of the command, bytes
	nodes  [3]int64      // peak RSS of each daemon during the job, bytes, as daemons names them
}

// daemons are the regions, one daemon each.
var daemons = [3]string{home, away, rest}

// node is the greatest peak RSS of a daemon, in bytes.
func (r result) node() int64 { return slices.Max(r.nodes[:]) }

// bench runs all jobs once per repetition.
type bench struct {
	ctx         context.Context
	loggia, dir string
	images      string
	store       string
	c           *clusterlab.Cluster
	order       []string
	results     map[string][]result
}

func (b *bench) keep(job string, r result) {
	if len(b.results[job]) == 0 {
		b.order = append(b.order, job)
	}
	b.results[job] = append(b.results[job], r)
	fmt.Printf("  %-34s %8s  %8s CPU  %9.1f MB on the link  RSS %d / %d MiB\n", job, r.wall.Round(10*time.Millisecond), r.cpu.Round(10*time.Millisecond), float64(r.link)/1e6, r.client>>20, r.node()>>20)
}

func (b *bench) image(name string) string { return filepath.Join(b.images, name+".raw") }

func (b *bench) repetition() (err error) {
	if err := b.yardsticks(); err != nil {
		return err
	}
	o := clusterlab.Options{Loggia: b.loggia, Dir: filepath.Join(b.dir, "cluster"), Regions: []string{home, away, rest}, Networks: true, LogLevel: "warn", S3: b.store}
	if b.c, err = clusterlab.New(b.ctx, o); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.c.Close()) }()
	steps := []func() error{
		func() error { return b.publish("v1", "1.0.0") },
		func() error { return b.replicate("v1", "1.0.0") },
		func() error { return b.pull("v1", "1.0.0", "") },
		func() error { return b.publish("v2", "2.0.0") },
		func() error { return b.replicate("v2", "2.0.0") },
		func() error { return b.pull("v2", "2.0.0", "v1") },
		func() error { return b.pull("v2", "2.0.0", "") },
		func() error { return b.publish("v2b", "1.1.0") },
		func() error { return b.replicate("v2b", "1.1.0") },
		func() error { return b.publish("sparse", "3.0.0") },
		func() error { return b.replicate("sparse", "3.0.0") },
		func() error { return b.pull("sparse", "3.0.0", "") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// yardsticks are what others do with the same file on the same machine.
func (b *bench) yardsticks() error {
	n, err := measure.Allocated(b.image("v1"))
	if err != nil {
		return err
	}
	copied := filepath.Join(b.dir, "plain")
	for _, y := range []struct {
		job  string
		args []string
	}{
		{"zstd -1 v1", []string{"sh", "-c", `zstd -1 -q -c "$0" | cat >/dev/null`, b.image("v1")}},
		{"plain copy v1", []string{"sh", "-c", `cp --sparse=always "$0" "$1" && sync "$1"`, b.image("v1"), copied}},
	} {
		began := time.Now()
		cmd := exec.CommandContext(b.ctx, y.args[0], y.args[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", y.job, err, out)
		}
		b.keep(y.job, result{wall: time.Since(began), cpu: cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime(), data: n, client: clusterlab.MaxRSS(cmd)})
	}
	return os.Remove(copied)
}

// measure runs commands of a region, one after the other, and counts what they cost together.
func (b *bench) measure(job, image, region string, commands ...[]string) error {
	data, err := measure.Allocated(b.image(image))
	if err != nil {
		return err
	}
	if err := b.forgetPeaks(); err != nil {
		return err
	}
	before, err := b.cpu()
	if err != nil {
		return err
	}
	r := result{data: data}
	link := b.link()
	began := time.Now()
	for _, args := range commands {
		cmd := b.c.CLI(b.ctx, region, args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", job, err, out)
		}
		r.cpu += cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()
		r.client = max(r.client, clusterlab.MaxRSS(cmd))
	}
	r.wall = time.Since(began)
	after, err := b.cpu()
	if err != nil {
		return err
	}
	r.cpu += after - before
	r.link = b.link() - link
	for i, name := range daemons {
		if r.nodes[i], err = b.c.Node(name).PeakRSS(); err != nil {
			return err
		}
	}
	b.keep(job, r)
	return nil
}

// forgetPeaks begins the daemons' peaks of memory anew, so that each job has its own.
func (b *bench) forgetPeaks() error {
	for _, name := range daemons {
		if err := measure.ResetPeak(b.c.Node(name).PID()); err != nil {
			return fmt.Errorf("peak memory of %s: %w", name, err)
		}
	}
	return nil
}

func (b *bench) link() int64 {
	t, err := b.c.Lab.Between(away, home)
	if err != nil {
		panic(err) // the lab is there as long as the bench is
	}
	return t.Received
}

// cpu is the time that all daemons have used.
func (b *bench) cpu() (time.Duration, error) {
	var sum time.Duration
	for _, name := range daemons {
		used, err := measure.CPU(b.c.Node(name).PID())
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

func (b *bench) publish(image, number string) error {
	return b.measure("publish "+image, image, home, []string{"publish", b.image(image), "bench/image/" + number, "--wait", "local"})
}

func (b *bench) replicate(image, number string) error {
	name := "bench/image/" + number
	return b.measure("replicate "+image, image, home, []string{"version", "update", name, "--regions", home + "," + away}, []string{"wait", name})
}

// pull pulls in the other region, compares, and keeps v1 as a seed.
func (b *bench) pull(image, number, seed string) error {
	out := filepath.Join(b.dir, "pulled-"+image)
	args := []string{"pull", "bench/image/" + number, "-o", out}
	job := "pull " + image
	if seed != "" {
		args = append(args, "--seed", filepath.Join(b.dir, "pulled-"+seed))
		job += " with " + seed + " at hand"
	}
	if err := b.measure(job, image, away, args); err != nil {
		return err
	}
	if msg, err := exec.CommandContext(b.ctx, "cmp", b.image(image), out).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: what was pulled differs: %s", job, msg)
	}
	if image == "v1" {
		return nil
	}
	return os.Remove(out)
}
