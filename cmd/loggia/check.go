package main

import (
	"context"
	"fmt"
	"time"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/gallery"
)

// checked is what a check found, for programs.
type checked struct {
	Region   string           `json:"region"`
	Findings []v1.CheckEvent  `json:"findings"`
	Counts   map[string]int   `json:"counts"` // by kind
	Bytes    map[string]int64 `json:"bytes"`  // by kind
	Repaired []string         `json:"repaired,omitempty"`
}

// checkRegion checks a region's stores and fails with exit code 9 where something is wrong.
func (c *cli) checkRegion(ctx context.Context, cl *client.Client, region string, r v1.CheckRequest) error {
	out := checked{Region: region, Findings: []v1.CheckEvent{}, Counts: map[string]int{}, Bytes: map[string]int64{}}
	b := newBoard(c.err)
	began := map[string]time.Time{}
	bad := 0
	err := cl.Check(ctx, region, r, func(e v1.CheckEvent) error {
		switch {
		case e.Progress != nil:
			b.set(checkBar(e, began))
		case e.Finding != nil:
			out.Counts[e.Finding.Kind]++
			out.Bytes[e.Finding.Kind] += e.Finding.Size
			if e.Finding.Bad() {
				bad++
			}
			if len(out.Findings) < maxFindings {
				out.Findings = append(out.Findings, e)
			}
		case e.Type == "repaired":
			out.Repaired = append(out.Repaired, e.Message)
		}
		return nil
	})
	b.close()
	if err != nil {
		return err
	}
	if err := c.print(out, checkTable(out)); err != nil {
		return err
	}
	if bad > 0 {
		return &gallery.Error{Kind: gallery.ErrVerification, Op: "verify", Resource: region, Message: fmt.Sprintf("%d objects are lost, damaged or unknown", bad)}
	}
	return nil
}

// maxFindings bounds what is kept to be shown; all are counted.
const maxFindings = 10_000

func checkBar(e v1.CheckEvent, began map[string]time.Time) bar {
	p := e.Progress
	name := fmt.Sprintf("%s/%d", e.Store, e.Slot)
	key := name + e.Domain
	if began[key].IsZero() {
		began[key] = time.Now()
	}
	out := bar{name: name, done: p.Bytes, total: p.BytesTotal, note: fmt.Sprintf("%d disks, %d of %d packs", p.Disks, p.Packs, p.PacksTotal)}
	out.pace(time.Since(began[key]))
	return out
}

func checkTable(c checked) table {
	t := table{head: []string{"KIND", "STORE", "SLOT", "SIZE", "KEY", "REPLICA", "DETAIL"}}
	for _, e := range c.Findings {
		f := e.Finding
		t.add(f.Kind, e.Store, fmt.Sprint(e.Slot), size(f.Size), dash(f.Key), dash(f.Disk), dash(f.Detail))
	}
	for _, r := range c.Repaired {
		t.add("repaired", "", "", "", "", "", r)
	}
	if len(c.Findings) == 0 {
		t = table{rows: [][]string{{"nothing is lost, damaged or orphaned"}}}
	}
	return t
}
