package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"loggia/api/v1"
	"loggia/testing/clusterlab"
)

const distance = 100 * time.Millisecond

type electionLab struct {
	*lab
	c       *clusterlab.Cluster
	regions []string
	acked   []string // names of images whose creation was acknowledged
	serial  int
}

func (l *lab) elections(kinds []string) (err error) {
	fmt.Printf("== losing the leader's region, %v round trip between regions (packets delayed)\n", distance)
	e := &electionLab{lab: l, regions: []string{"north", "east", "south"}}
	e.c, err = clusterlab.New(l.ctx, clusterlab.Options{Loggia: l.loggia, Dir: filepath.Join(l.dir, "elections"), Regions: e.regions, Networks: true, RTT: distance})
	if err != nil {
		return err
	}
	defer func() {
		if err2 := e.c.Close(); err == nil {
			err = err2
		}
	}()
	if _, err := e.c.Run(l.ctx, io.Discard, e.regions[0], "gallery", "create", written); err != nil {
		return err
	}
	for _, k := range kinds {
		var took []time.Duration
		for i := range l.count {
			d, err := e.once(k == "stop")
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", k, i+1, err)
			}
			fmt.Printf("   %-6s writes from another region succeed again after %s\n", k, d.Round(time.Millisecond))
			took = append(took, d)
		}
		slices.Sort(took)
		if k == "stop" {
			l.check(took[len(took)-1] <= time.Second, "planned stop of the leader: %d times, median %s, worst %s (at most 1 s)", len(took), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
			continue
		}
		fast := 0
		for _, d := range took {
			if d <= 5*time.Second {
				fast++
			}
		}
		l.check(fast*20 >= len(took)*18 && took[len(took)-1] <= 10*time.Second, "loss of the leader's region: %d times, %d within 5 s (at least 18 of 20), median %s, worst %s (at most 10 s)",
			len(took), fast, took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	}
	return e.nothingLost()
}

// leader returns the region whose node leads, as another region sees it.
func (e *electionLab) leader() (string, error) {
	ctx, cancel := context.WithTimeout(e.ctx, time.Minute)
	defer cancel()
	for {
		for _, r := range e.regions {
			out, err := e.c.CLI(ctx, r, "operator", "raft", "list-peers", "-o", "json").Output()
			var peers []v1.RaftPeer
			if err == nil && json.Unmarshal(out, &peers) == nil {
				voters := 0
				leader := ""
				for _, p := range peers {
					if p.Voter {
						voters++
					}
					if p.Leader {
						leader = p.Region
					}
				}
				if leader != "" && voters == len(e.regions) {
					return leader, nil
				}
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("no leader of %d voters: %w", len(e.regions), ctx.Err())
		}
	}
}

// once loses the leader's region, with or without warning, measures until a write from another
// region succeeds, and brings it back.
func (e *electionLab) once(planned bool) (time.Duration, error) {
	lost, err := e.leader()
	if err != nil {
		return 0, err
	}
	other := e.regions[(slices.Index(e.regions, lost)+1+e.rng.IntN(2))%len(e.regions)]
	w := e.writer(other)
	defer w.client.CloseIdleConnections()
	if err := w.warm(); err != nil {
		return 0, err
	}
	// The moment is anywhere in the heartbeat's period.
	select {
	case <-time.After(time.Duration(e.rng.IntN(1000)) * time.Millisecond):
	case <-e.ctx.Done():
		return 0, e.ctx.Err()
	}
	var stopping sync.WaitGroup
	began := time.Now()
	if planned {
		stopping.Go(func() { _ = e.c.Node(lost).Stop() }) // what counts is that it ends
	} else {
		if err := e.c.Lab.Partition(lost); err != nil {
			return 0, err
		}
	}
	took, err := w.until(began, planned)
	if err != nil {
		return 0, err
	}
	stopping.Wait()
	if !planned {
		if err := e.c.Node(lost).Kill(); err != nil {
			return 0, err
		}
		if err := e.c.Lab.Heal(lost); err != nil {
			return 0, err
		}
	}
	if err := e.c.Start(e.ctx, lost); err != nil {
		return 0, err
	}
	return took, e.c.WaitReady(e.ctx, lost)
}

// written is the gallery that all writes are to: a subscription may have a thousand images, and a hundred galleries.
const written = "faults"

// writer creates images through one region's node.
type writer struct {
	e      *electionLab
	at     string
	client *http.Client
}

func (e *electionLab) writer(region string) *writer {
	return &writer{e: e, at: region, client: e.c.HTTP(region)}
}

func (w *writer) warm() error {
	_, err := w.write(w.e.ctx)
	return err
}

// write creates one image and says whether that was acknowledged.
func (w *writer) write(ctx context.Context) (bool, error) {
	w.e.serial++
	name := fmt.Sprintf("i%d", w.e.serial)
	body, err := json.Marshal(v1.Image{Gallery: written, Name: name, OSType: "Linux", OSState: "Generalized", HyperVGeneration: "V2", Architecture: "x64", Publisher: "faults", Offer: name, SKU: "default"})
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, w.e.c.Address(w.at)+"/v1/galleries/"+written+"/images/"+name, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+w.e.c.Token())
	resp, err := w.client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return false, err
	}
	if resp.StatusCode == http.StatusOK {
		w.e.acked = append(w.e.acked, name)
		return true, nil
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return false, nil
	}
	return false, &refusal{resp.Status, b}
}

// refusal is an answer that no election explains.
type refusal struct {
	status string
	body   []byte
}

// Error implements error.
func (r *refusal) Error() string { return fmt.Sprintf("write was refused: %s %s", r.status, r.body) }

// until writes until writes succeed for good: without warning the first acknowledgement that began
// after the loss counts. In a planned stop what counts is the longest time that a write took.
func (w *writer) until(began time.Time, planned bool) (time.Duration, error) {
	var longest time.Duration
	since := began
	for time.Since(began) < 30*time.Second {
		ctx, cancel := context.WithTimeout(w.e.ctx, 12*time.Second)
		at := time.Now()
		ok, err := w.write(ctx)
		cancel()
		if os.Getenv("FAULT_TRACE") != "" {
			fmt.Printf("      write at %s took %s: %v %v\n", at.Sub(began).Round(time.Millisecond), time.Since(at).Round(time.Millisecond), ok, err)
		}
		var refused *refusal
		if err != nil && (w.e.ctx.Err() != nil || errors.As(err, &refused)) {
			return 0, err
		}
		if !ok {
			continue
		}
		if !planned {
			return time.Since(began), nil
		}
		longest = max(longest, time.Since(since))
		since = time.Now()
		if time.Since(began) > 3*time.Second {
			return longest, nil
		}
	}
	return 0, fmt.Errorf("no write succeeded for 30 s")
}

// nothingLost looks every acknowledged image up in every region.
func (e *electionLab) nothingLost() error {
	for _, r := range e.regions {
		var all []v1.Image
		out, err := e.c.Run(e.ctx, io.Discard, r, "image", "list", written, "-o", "json")
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			return err
		}
		there := map[string]bool{}
		for _, g := range all {
			there[g.Name] = true
		}
		var lost []string
		for _, name := range e.acked {
			if !there[name] {
				lost = append(lost, name)
			}
		}
		e.check(len(lost) == 0, "in %s: %d writes acknowledged, %d there, lost: [%s]", r, len(e.acked), len(e.acked)-len(lost), strings.Join(lost, " "))
	}
	return nil
}
