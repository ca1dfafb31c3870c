// Command fuzz runs fuzz targets of the repository one after the other, a subset that changes daily.
//
//	fuzz [-time 10s] [-build 10s] [-total 6m] [-seed 20250131]
//
// The seed, by default the date in UTC, fixes the order in which targets get their turn: every day
// starts where the day before should have stopped, so that all of them are reached. No target is
// begun with less than its time left; on a machine that builds slower than -build, the rest is named
// and left out. It ends with 1 when a target failed; the input that did it is where `go test -fuzz`
// keeps it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"time"
)

func main() {
	each := flag.Duration("time", 10*time.Second, "time of a target")
	total := flag.Duration("total", 6*time.Minute, "time of all targets together")
	build := flag.Duration("build", 10*time.Second, "of total, what building a target takes")
	seed := flag.String("seed", "", "date (YYYYMMDD) that chooses the targets; default: today, or LOGGIA_SEED")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *each, *build, *total, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, each, build, total time.Duration, seed string) error {
	if each <= 0 || build < 0 || total < each+build {
		return fmt.Errorf("total %s is less than one target's %s", total, each+build)
	}
	if seed == "" {
		seed = os.Getenv("LOGGIA_SEED")
	}
	if seed == "" {
		seed = time.Now().UTC().Format("20060102")
	}
	all, err := find(".")
	if err != nil || len(all) == 0 {
		return errors.Join(err, fmt.Errorf("found %d targets", len(all)))
	}
	day, err := dayOf(seed)
	if err != nil {
		return err
	}
	turn := choose(all, int(total/(each+build)), day)
	fmt.Printf("seed %s: %d of %d targets, %s each\n", seed, len(turn), len(all), each)
	var errs []error
	end := time.Now().Add(total)
	for i, t := range turn {
		if i > 0 && time.Until(end) < each {
			fmt.Printf("no time left for %v\n", turn[i:])
			break
		}
		if err := t.run(ctx, each); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t, err))
		}
	}
	return errors.Join(errs...)
}

// dayOf turns a seed into the number of a day; what is no date is its own number.
func dayOf(seed string) (int, error) {
	if date, err := time.Parse("20060102", seed); err == nil && date.Unix() >= 0 {
		return int(date.Unix() / (24 * 60 * 60)), nil
	}
	n, err := strconv.ParseUint(seed, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("seed %q: want a date (YYYYMMDD) or a number", seed)
	}
	return int(n), nil
}

func (t target) run(ctx context.Context, each time.Duration) error {
	fmt.Printf("%s\n", t)
	// Minimising an interesting input takes a minute unless it is told otherwise.
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+each.String(), "-fuzzminimizetime=10x", t.pkg)
	out, err := cmd.CombinedOutput()
	if err != nil && ranOut(out) {
		return nil
	}
	if err != nil {
		fmt.Printf("%s", out)
	}
	return err
}

// ranOut says whether a target failed only because its time was over: until Go 1.27 the coordinator now and then takes the deadline of
// -fuzztime for a failure (go.dev/issue/75804). A finding always names the input that it wrote.
func ranOut(out []byte) bool {
	return deadline.Match(out) && !bytes.Contains(out, []byte("Failing input")) && !bytes.Contains(out, []byte("panic:"))
}

// deadline is all that such a run says of its failure.
var deadline = regexp.MustCompile(`(?m)^--- FAIL: Fuzz\w+ \([\d.]+s\)\n    context deadline exceeded\nFAIL$`)
