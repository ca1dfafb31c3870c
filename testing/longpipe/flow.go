package main

import (
	"context"
	"time"

	"loggia/testing/netlab"
)

// flow is what went one way over the line for one job.
type flow struct {
	Name    string        `json:"name"`
	RTT     time.Duration `json:"rtt"`
	Bytes   int64         `json:"bytes"`       // on the line, headers included, by the kernel's counter at the receiver
	Between time.Duration `json:"firstToLast"` // byte
	Whole   time.Duration `json:"whole"`       // from asking to done
	Steps   []int64       `json:"steps"`       // bytes in each step of every
}

const every = 100 * time.Millisecond

// edge is how many bytes at either end of a flow are not it: handshakes, and questions of other kinds.
const edge = 256 << 10

// share is the part of the line that was used from the first byte to the last.
func (f flow) share(rateMbit int) float64 {
	return float64(f.Bytes) * 8 / f.Between.Seconds() / float64(rateMbit) / 1e6
}

// window is what best looks at.
const window = 5 * time.Second

// best is the greatest part of the line that was used over a window, or over all if that was shorter.
func (f flow) best(rateMbit int) float64 {
	n := min(int(window/every), len(f.Steps))
	var sum, most int64
	for i, step := range f.Steps {
		sum += step
		if i >= n {
			sum -= f.Steps[i-n]
		}
		most = max(most, sum)
	}
	return float64(most) * 8 / (time.Duration(n) * every).Seconds() / float64(rateMbit) / 1e6
}

// ideal is the time that the bytes need on the line.
func (f flow) ideal(rateMbit int) time.Duration {
	return time.Duration(float64(f.Bytes) * 8 / float64(rateMbit) / 1e6 * float64(time.Second))
}

// observe runs job and watches what the line to a region brings meanwhile.
func observe(ctx context.Context, lab *netlab.Lab, from, to, name string, job func() error) (flow, error) {
	f := flow{Name: name}
	start, err := lab.Between(to, from)
	if err != nil {
		return f, err
	}
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan error, 1)
	began := time.Now()
	var at []time.Time
	var seen []int64 // since the start
	look := func() error {
		now, err := lab.Between(to, from)
		at, seen = append(at, time.Now()), append(seen, now.Received-start.Received)
		return err
	}
	go func() { // ends with cancel
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := look(); err != nil {
					watched <- err
					return
				}
			case <-ctx.Done():
				watched <- look()
				return
			}
		}
	}()
	err = job()
	f.Whole = time.Since(began)
	cancel()
	if e := <-watched; err == nil {
		err = e
	}
	if err != nil {
		return f, err
	}
	f.Bytes = seen[len(seen)-1]
	last := int64(0)
	first, end := began, began
	for i, n := range seen {
		f.Steps = append(f.Steps, n-last)
		if n < edge && i > 0 {
			first = at[i]
		}
		if end == began && n >= f.Bytes-edge {
			end = at[i]
		}
		last = n
	}
	f.Between = end.Sub(first)
	return f, nil
}
