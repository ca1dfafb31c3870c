// Command faultlab breaks a real cluster on purpose and counts what it costs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lab is one run of the faults.
type lab struct {
	ctx    context.Context
	loggia string
	dir    string
	count  int
	rng    *rand.Rand
	failed []string
}

func main() {
	loggia := flag.String("loggia", "bin/loggia", "the binary")
	once := flag.Bool("once", false, "each kind of fault once")
	count := flag.Int("count", 20, "how often each kind of fault")
	only := flag.String("only", "cli,source,target,leader,stop", "kinds of faults: these, and many-source, many-target of a copy with two sources")
	seed := flag.Uint64("seed", seedFrom(os.Getenv("LOGGIA_SEED")), "of the random moments (LOGGIA_SEED)")
	flag.String("images", "", "not used: the images are made here, and do not compress")
	flag.Parse()
	if *once {
		*count = 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("seed %d (LOGGIA_SEED=%d repeats the moments)\n", *seed, *seed)
	l := &lab{ctx: ctx, count: *count, rng: rand.New(rand.NewPCG(*seed, 1))}
	if err := l.run(*loggia, strings.Split(*only, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "faultlab: FAILED: "+err.Error())
		os.Exit(1)
	}
}

func seedFrom(s string) uint64 {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n
	}
	return uint64(time.Now().UnixNano())
}

func (l *lab) run(loggia string, kinds []string) (err error) {
	if l.loggia, err = filepath.Abs(loggia); err != nil {
		return err
	}
	if l.dir, err = os.MkdirTemp("", "loggia-faults-"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			fmt.Println("kept for a look:", l.dir)
			return
		}
		err = os.RemoveAll(l.dir)
	}()
	var transfers, elections, sources []string
	for _, k := range kinds {
		switch k {
		case "cli", "source", "target":
			transfers = append(transfers, k)
		case "leader", "stop":
			elections = append(elections, k)
		case "many-source", "many-target":
			sources = append(sources, k)
		default:
			return fmt.Errorf("--only: %q: must be cli, source, target, many-source, many-target, leader or stop", k)
		}
	}
	if len(transfers) > 0 {
		if err := l.transfers(transfers); err != nil {
			return err
		}
	}
	if len(sources) > 0 {
		if err := l.sources(sources); err != nil {
			return err
		}
	}
	if len(elections) > 0 {
		if err := l.elections(elections); err != nil {
			return err
		}
	}
	if len(l.failed) > 0 {
		return errors.New(strings.Join(l.failed, "; "))
	}
	fmt.Println("all as it must be")
	return nil
}

// check notes a claim that does not hold.
func (l *lab) check(ok bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if ok {
		fmt.Println("ok:    " + text)
		return
	}
	fmt.Println("WRONG: " + text)
	l.failed = append(l.failed, text)
}
