package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"loggia/testing/measure"
)

// result is one run of a job by a tool.
type result struct {
	Tool    string       `json:"tool"`
	Job     string       `json:"job"`
	Rep     int          `json:"repetition"`
	Cost    measure.Cost `json:"cost"`
	Stored  int64        `json:"stored,omitempty"` // bytes in the store after a publish or replicate
	Objects int64        `json:"objects,omitempty"`
	Written int64        `json:"written,omitempty"` // bytes that the pulled file occupies
}

// seconds is the job's time.
func (r result) seconds() float64 { return r.Cost.Wall.Seconds() }

// repetition runs every job for every tool on a fresh site.
func (b *bench) repetition(ctx context.Context, rep int) (err error) {
	s, err := b.site(ctx, rep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	out := map[string]bool{} // tools that failed
	for _, t := range b.tools {
		if err := s.fresh(ctx, t); err != nil {
			b.fail(t, "begin", rep, err)
			out[t.Name] = true
		}
	}
	for _, j := range b.jobs {
		for i := range b.tools {
			t := b.tools[(i+rep)%len(b.tools)]
			if out[t.Name] || !t.does(j) {
				continue
			}
			r, err := s.do(ctx, t, j, rep)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				b.fail(t, j.Name, rep, err)
				out[t.Name] = true
				continue
			}
			b.Results = append(b.Results, r)
			fmt.Printf("  %-16s %-13s %7.2f s  %6.2f CPU  %8s MB  RSS %4s / %s MiB  (others: %.2f CPU)\n", j.Name, t.Name, r.seconds(), r.Cost.AllCPU().Seconds(),
				measure.MB(r.Cost.WireBytes()), measure.MiB(r.Cost.RSS), measure.MiB(nodeRSS(r)), r.Cost.Foreign.Seconds())
		}
	}
	return nil
}

func (b *bench) fail(t tool, job string, rep int, err error) {
	text := fmt.Sprintf("%s, %s, repetition %d: %v", t.Name, job, rep+1, err)
	b.Failures = append(b.Failures, text)
	fmt.Println("  FAILED: " + text)
}

// does says whether a tool has a job.
func (t tool) does(j job) bool {
	_, knows := t.steps[j.step]
	return knows && !(t.whole && j.delta) && (len(j.only) == 0 || slices.Contains(j.only, t.Name))
}

// do runs one job and checks what came out.
func (s *site) do(ctx context.Context, t tool, j job, rep int) (result, error) {
	r := result{Tool: t.Name, Job: j.Name, Rep: rep}
	where := client
	if j.step == replicate {
		where = cmp.Or(t.at, regionA)
	}
	image, out := s.b.image(j.image), s.out(t, j.image)
	vars := []string{"IMAGE=" + image, "NAME=" + j.image, "NUMBER=" + j.number, "OUT=" + out}
	if j.seed != "" {
		vars = append(vars, "SEED="+s.b.image(j.seed))
	}
	inputs := []string{image}
	if j.seed != "" {
		inputs = append(inputs, s.b.image(j.seed))
	}
	if err := settle(inputs...); err != nil {
		return r, err
	}
	var err error
	if r.Cost, err = s.probe(t).Run(ctx, s.script(t, where, t.steps[j.step], vars...)); err != nil {
		return r, err
	}
	switch j.step {
	case publish:
		r.Stored, r.Objects, err = s.stored(t, regionA)
	case replicate:
		r.Stored, r.Objects, err = s.stored(t, regionB)
	default:
		r.Written, err = s.compare(ctx, t, image, rep)
	}
	return r, err
}

// settle has the disk write what waits, and reads the images once, so that every tool finds them in memory.
func settle(images ...string) error {
	unix.Sync()
	for _, name := range images {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// compare holds what was pulled against the image, in the first repetition, and removes it.
func (s *site) compare(ctx context.Context, t tool, image string, rep int) (int64, error) {
	dir := filepath.Join(s.work(t), "out")
	var file string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Base(path) == filepath.Base(image) {
			file = path
		}
		return err
	})
	if err == nil && file == "" {
		err = errors.New("it wrote no file")
	}
	if err != nil {
		return 0, err
	}
	n, err := measure.Allocated(file)
	if err == nil && rep == 0 {
		if out, e := exec.CommandContext(ctx, "cmp", file, image).CombinedOutput(); e != nil {
			err = fmt.Errorf("what was pulled differs: %s", out)
		}
	}
	return n, errors.Join(err, os.RemoveAll(dir), os.Mkdir(dir, 0o700))
}

// probe watches the servers that work for a tool, and the three links.
func (s *site) probe(t tool) measure.Probe {
	p := measure.Probe{Servers: map[string]int{}, Wire: s.wire}
	for _, r := range []string{regionA, regionB} {
		if s3 := s.c.S3(r); s3 != nil {
			p.Servers["s3-"+r] = s3.PID
		}
		if t.Name == loggia {
			p.Servers["node-"+r] = s.c.Node(r).PID()
		}
	}
	return p
}

// wire reads what each link has carried, both ways together.
func (s *site) wire() (map[string]int64, error) {
	all := map[string]int64{}
	for _, pair := range [][2]string{{client, regionA}, {client, regionB}, {regionA, regionB}} {
		t, err := s.c.Lab.Between(pair[0], pair[1])
		if err != nil {
			return nil, err
		}
		all[pair[0]+"-"+pair[1]] = t.Sent + t.Received
	}
	return all, nil
}

// nodeRSS is the most memory that a node of Loggia's had, in bytes.
func nodeRSS(r result) int64 {
	return r.Cost.ServerRSS(func(name string) bool { return name == "node-"+regionA || name == "node-"+regionB })
}
