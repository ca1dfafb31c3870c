package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// profiled makes every subcommand write its profiles where --profile names a directory for them.
func (c *cli) profiled(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		c.profiled(sub)
	}
	run := cmd.RunE
	if run == nil {
		return
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if c.profile == "" {
			return run(cmd, args)
		}
		end, err := beginProfiles(c.profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		return run(cmd, args)
	}
}

// beginProfiles starts to sample; end writes what was found to files of dir.
func beginProfiles(dir string) (end func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	cpu, err := os.Create(filepath.Join(dir, "cpu.prof"))
	if err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(fmt.Errorf("--profile: %w", err), cpu.Close())
	}
	runtime.SetBlockProfileRate(10_000) // nanoseconds waited per sample
	runtime.SetMutexProfileFraction(100)
	return func() error {
		pprof.StopCPUProfile()
		errs := []error{cpu.Close()}
		for _, name := range []string{"heap", "block", "mutex"} {
			errs = append(errs, writeProfile(filepath.Join(dir, name+".prof"), name))
		}
		return errors.Join(errs...)
	}, nil
}

func writeProfile(file, name string) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("--profile: %w", err)
	}
	return errors.Join(pprof.Lookup(name).WriteTo(f, 0), f.Close())
}
