package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"loggia/testing/clusterlab"
)

// second is another region that holds a whole copy before the target copies.
const second = "second"

// sourcesLab kills parties of a copy that has more than one region to take from.
type sourcesLab struct {
	*transferLab
	holders []string
}

func (l *lab) sources(kinds []string) (err error) {
	s := &sourcesLab{transferLab: &transferLab{lab: l, overhead: map[string]float64{}}, holders: []string{source, second}}
	fmt.Printf("== kill -9 in the middle of a copy with %d sources: %d MiB that do not compress, lines of %d Mbit/s\n", len(s.holders), diskSize>>20, lineMbit)
	s.c, err = clusterlab.New(l.ctx, clusterlab.Options{Loggia: l.loggia, Dir: filepath.Join(l.dir, "sources"), Regions: append(slices.Clone(s.holders), target, witness),
		Extra: []string{client}, Networks: true, RateMbit: lineMbit})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.c.Close()) }()
	if err := s.undisturbed(); err != nil {
		return err
	}
	for _, k := range kinds {
		if err := s.kind(k); err != nil {
			return fmt.Errorf("kind %s: %w", k, err)
		}
	}
	return nil
}

// held publishes a fresh disk and waits until every holder has it.
func (s *sourcesLab) held() (file, name string, err error) {
	if file, name, err = s.disk(); err != nil {
		return "", "", err
	}
	_, err = s.c.Run(s.ctx, io.Discard, client, "publish", file, name, "--regions", source+","+second, "--base", "")
	return file, name, err
}

// arrived is what the target has received from each holder, by the kernel's counters.
func (s *sourcesLab) arrived() (sum int64, by map[string]int64) {
	by = map[string]int64{}
	for _, h := range s.holders {
		by[h] = s.sent(h, target)
		sum += by[h]
	}
	return sum, by
}

// copy makes the target a target.
func (s *sourcesLab) copy(name string) error {
	_, err := s.c.Run(s.ctx, io.Discard, witness, "version", "update", name, "--regions", source+","+second+","+target)
	return err
}

// wait waits until the target has its copy, as the witness sees it.
func (s *sourcesLab) wait(name string) error {
	ctx, cancel := context.WithTimeout(s.ctx, 5*time.Minute)
	defer cancel()
	_, err := s.c.Completed(ctx, witness, name, []string{target}, nil)
	return err
}

// undisturbed measures what a stored byte costs on the lines, and who sends.
func (s *sourcesLab) undisturbed() error {
	file, name, err := s.held()
	if err != nil {
		return err
	}
	before, was := s.arrived()
	if err := errors.Join(s.copy(name), s.wait(name)); err != nil {
		return err
	}
	after, now := s.arrived()
	s.overhead["many"] = float64(after-before) / diskSize
	fmt.Printf("undisturbed, a stored byte costs %.3f bytes on the lines;", s.overhead["many"])
	for _, h := range s.holders {
		fmt.Printf(" %s sends %.0f %%", h, 100*float64(now[h]-was[h])/float64(after-before))
	}
	fmt.Println()
	return s.verify(file, name)
}

// kind kills one party at random moments, as often as asked. As with one source, a kill counts where
// the process was gone in the middle.
func (s *sourcesLab) kind(kind string) error {
	var again []int64
	var took []time.Duration
	for round := 0; len(again) < s.count; round++ {
		if round > 2*s.count+5 {
			return fmt.Errorf("only %d of %d kills met the transfer", len(again), round)
		}
		aim := 0.12 + 0.74*s.rng.Float64()
		began := time.Now()
		k, who, err := s.once(kind, aim)
		if err != nil {
			return fmt.Errorf("round %d, killed at %.0f %%: %w", round+1, 100*aim, err)
		}
		note := ""
		if k.at < earliest || k.at > latest {
			note = ", not counted"
		} else {
			again, took = append(again, k.again), append(took, time.Since(began))
		}
		fmt.Printf("   %-7s killed at %2.0f %%  %5.1f MiB sent again, done after %s%s\n", who, 100*k.at, float64(k.again)/(1<<20), time.Since(began).Round(100*time.Millisecond), note)
	}
	worst := slices.Max(again)
	s.check(worst <= limit, "kill -9 of %s, %d sources: %d times between %.0f and %.0f %%, worst %.1f MiB of stored bytes sent again (at most %d MiB), all verified, longest %s",
		map[string]string{"many-source": "the source that sends most", "many-target": "the target node"}[kind], len(s.holders), len(again), 100*earliest, 100*latest, float64(worst)/(1<<20), limit>>20, slices.Max(took).Round(100*time.Millisecond))
	return nil
}

// once copies a fresh disk and kills in the middle. It says what that cost, and who was killed.
func (s *sourcesLab) once(kind string, aim float64) (k kill, killed string, err error) {
	file, name, err := s.held()
	if err != nil {
		return k, "", err
	}
	before, was := s.arrived()
	stored := func() float64 {
		now, _ := s.arrived()
		return float64(now-before) / s.overhead["many"]
	}
	if err := s.copy(name); err != nil {
		return k, "", err
	}
	if err := s.await(func() bool { return stored() >= aim*diskSize }, nil); err != nil {
		return k, "", err
	}
	killed = target
	if kind == "many-source" {
		_, now := s.arrived()
		killed = slices.MaxFunc(s.holders, func(a, b string) int { return cmp.Compare(now[a]-was[a], now[b]-was[b]) })
	}
	if err := s.c.Node(killed).Kill(); err != nil {
		return k, killed, err
	}
	k.at = stored() / diskSize
	if err := s.recover(killed, name); err != nil {
		return k, killed, err
	}
	k.again = max(0, int64(stored())-diskSize)
	return k, killed, s.verify(file, name)
}

// recover starts what was killed again and waits for the copy. A killed source comes back only when
// the copy is done: the others must do its work.
func (s *sourcesLab) recover(killed, name string) error {
	if killed != target {
		if err := s.wait(name); err != nil {
			return fmt.Errorf("without %s: %w", killed, err)
		}
	}
	if err := errors.Join(s.c.Start(s.ctx, killed), s.c.WaitReady(s.ctx, killed)); err != nil {
		return err
	}
	return s.wait(name)
}
