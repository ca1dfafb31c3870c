package measure

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Cost is what one run of a job took.
type Cost struct {
	Wall    time.Duration         `json:"wall"` // nanoseconds, as all durations here
	CPU     time.Duration         `json:"cpu"`  // of the command and all its children
	RSS     int64                 `json:"rss"`  // peak of the command: its processes' own peaks together, bytes
	Servers map[string]ServerCost `json:"servers,omitempty"`
	Foreign time.Duration         `json:"foreign"` // processor time of everybody else on the machine meanwhile
	Wire    map[string]int64      `json:"wire,omitempty"`
}

// ServerCost is what a daemon spent on a job.
type ServerCost struct {
	CPU time.Duration `json:"cpu"`
	RSS int64         `json:"rss"` // its peak during the job, bytes
}

// AllCPU is the processor time of the command and of every server.
func (c Cost) AllCPU() time.Duration {
	sum := c.CPU
	for _, s := range c.Servers {
		sum += s.CPU
	}
	return sum
}

// ServerRSS is the greatest peak of the servers whose names are chosen.
func (c Cost) ServerRSS(chosen func(name string) bool) (most int64) {
	for name, s := range c.Servers {
		if chosen(name) {
			most = max(most, s.RSS)
		}
	}
	return most
}

// WireBytes is what crossed all the lines.
func (c Cost) WireBytes() (sum int64) {
	for _, n := range c.Wire {
		sum += n
	}
	return sum
}

// Probe watches what surrounds a job. Its fields may be nil.
type Probe struct {
	Servers map[string]int                   // processes that work for it, by name
	Wire    func() (map[string]int64, error) // counters of the lines, bytes
}

// look reads all counters.
func (p Probe) look() (cpu map[string]time.Duration, wire map[string]int64, busy time.Duration, err error) {
	cpu = map[string]time.Duration{}
	for name, pid := range p.Servers {
		if cpu[name], err = CPU(pid); err != nil {
			return nil, nil, 0, fmt.Errorf("server %s: %w", name, err)
		}
	}
	if p.Wire != nil {
		if wire, err = p.Wire(); err != nil {
			return nil, nil, 0, err
		}
	}
	busy, err = Busy()
	return cpu, wire, busy, err
}

// Run runs a command to its end and measures it. What the command prints is in the error where it
// fails. The command gets a process group of its own, all of which is killed when ctx ends.
func (p Probe) Run(ctx context.Context, cmd *exec.Cmd) (Cost, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	var said bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &said
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &said
	}
	var c Cost
	err := p.around(&c, func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }() // ends with the command
		seen := peaks{}
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case err := <-ended:
				c.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				c.RSS = max(seen.sum(), maxRSS(cmd))
				return err
			case <-tick.C:
				if err := seen.look(cmd.Process.Pid); err != nil {
					return fmt.Errorf("%w (and %w)", err, stop(cmd, ended))
				}
			case <-ctx.Done():
				return fmt.Errorf("%w (and %w)", ctx.Err(), stop(cmd, ended))
			}
		}
	})
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, tail(said.Bytes()))
	}
	return c, err
}

// Around measures what happens in job: the time, the servers and the lines.
func (p Probe) Around(job func() error) (Cost, error) {
	var c Cost
	return c, p.around(&c, job)
}

func (p Probe) around(c *Cost, job func() error) error {
	for name, pid := range p.Servers {
		if err := ResetPeak(pid); err != nil {
			return fmt.Errorf("server %s: %w", name, err)
		}
	}
	cpu, wire, busy, err := p.look()
	if err != nil {
		return err
	}
	began := time.Now()
	failed := job()
	c.Wall = time.Since(began)
	cpu2, wire2, busy2, err := p.look()
	if failed != nil || err != nil {
		return firstOf(failed, err)
	}
	c.Servers, c.Wire = map[string]ServerCost{}, map[string]int64{}
	for name, pid := range p.Servers {
		rss, err := PeakRSS(pid)
		if err != nil {
			return fmt.Errorf("server %s: %w", name, err)
		}
		c.Servers[name] = ServerCost{CPU: cpu2[name] - cpu[name], RSS: rss}
	}
	for name := range wire2 {
		c.Wire[name] = wire2[name] - wire[name]
	}
	c.Foreign = max(0, busy2-busy-c.AllCPU())
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// stop kills a command's process group, since a child that lives holds the pipes, and waits for it.
func stop(cmd *exec.Cmd, ended <-chan error) error {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // they may have ended
	return <-ended
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }
