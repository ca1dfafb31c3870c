package main

import (
	"cmp"
	"fmt"
	"math"

	"loggia/testing/measure"
)

// goal is a row of the table of what Loggia must reach: its time in a job as a part of a peer's.
type goal struct {
	job   string
	peer  string
	most  float64
	their string // the peer's job, where it is another
}

var timeGoals = []goal{
	{job: "publish-v1", peer: "zstd-pipe", most: 1.05},
	{job: "publish-v1", peer: "kopia", most: 0.51},
	{job: "publish-v1", peer: "restic", most: 0.42},
	{job: "publish-v2", peer: "restic", most: 0.36},
	{job: "publish-v2", peer: "zstd-pipe", most: 0.6},
	{job: "replicate-v1", peer: "kopia", most: 0.85},
	{job: "replicate-v2", peer: "kopia", most: 0.45},
	{job: "pull-v1", peer: "zstd-pipe", most: 0.85},
	{job: "pull-v1-links", peer: "zstd-pipe", most: 0.75, their: "pull-v1"},
	{job: "pull-v2-with-v1", peer: "zstd-pipe", most: 0.65},
	{job: "publish-rand", peer: "mc", most: 1 / 0.9}, // at least 0.9 of the speed of a plain multipart copy
}

// standIn is a peer's time in times of the zstd pipe's, measured on two cores and MinIO: it plays the
// part of a peer that is not installed.
var standIn = map[string]map[string]float64{
	"publish-v1":   {"kopia": 2.05, "restic": 2.5},
	"publish-v2":   {"restic": 1.6, "kopia": 2.5},
	"replicate-v1": {"kopia": 1.0},
	"replicate-v2": {"kopia": 1.1, "restic": 3.6},
}

// Goals that are no part of a peer's time.
const (
	mostV2Bytes       = 0.75  // of restic's, in a publish
	mostReplicaV2     = 175e6 // bytes over the wire, tree and tables included
	mostReplicaV2b    = 24e6
	mostRandStored    = 1.02 // of its size
	mostSparse        = 1.2  // of the time of a file of the same data
	mostMemory        = 256 << 20
	mostPulledOfDelta = 1.1 // of what a replication of the delta moves: only what is new is read
)

// of lists the results of a job by a tool, in the order of repetitions.
func (b *bench) of(job, tool string) []result {
	var all []result
	for _, r := range b.Results {
		if r.Job == job && r.Tool == tool {
			all = append(all, r)
		}
	}
	return all
}

// ratio is what Loggia's number in a job is of another tool's, or in another job, repetition by repetition.
func (b *bench) ratio(mine, other []result, number func(result) float64) measure.Spread {
	var all []float64
	for _, m := range mine {
		for _, o := range other {
			if m.Rep == o.Rep && number(o) > 0 {
				all = append(all, number(m)/number(o))
			}
		}
	}
	return measure.SpreadOf(all)
}

func wireBytes(r result) float64 { return float64(r.Cost.WireBytes()) }

// has says whether a job was asked for.
func (b *bench) has(job string) bool {
	for _, j := range b.jobs {
		if j.Name == job {
			return true
		}
	}
	return false
}

// judge holds Loggia to its goals in the jobs that were asked for.
func (b *bench) judge() {
	for _, g := range timeGoals {
		if !b.has(g.job) {
			continue
		}
		if g.peer == "mc" && b.Tools["mc"] == "" {
			g.peer = "rclone" // which copies to directories, too
		}
		mine, name := b.of(g.job, loggia), fmt.Sprintf("%s: time, in that of %s", g.job, g.peer)
		got := b.ratio(mine, b.of(cmp.Or(g.their, g.job), g.peer), result.seconds).Median
		if part, ok := standIn[g.job][g.peer]; ok && math.IsNaN(got) {
			got = b.ratio(mine, b.of(g.job, "zstd-pipe"), result.seconds).Median / part
			name += fmt.Sprintf(" (not here: %.2f of the zstd pipe's)", part)
		}
		b.AtMost(name, got, g.most, "")
	}
	b.judgeBytes()
	b.judgeMemory()
}

func (b *bench) judgeBytes() {
	wire := func(job string) float64 { return measure.Over(b.of(job, loggia), wireBytes).Median }
	peers := b.Store != "filesystem" // which peers write to without a line
	if b.has("publish-v2") && peers {
		b.AtMost("publish-v2: bytes over the wire, in restic's", b.ratio(b.of("publish-v2", loggia), b.of("publish-v2", "restic"), wireBytes).Median, mostV2Bytes, "")
	}
	if b.has("replicate-v2") {
		b.AtMost("replicate-v2: MB over the wire", wire("replicate-v2")/1e6, mostReplicaV2/1e6, "MB")
	}
	if b.has("replicate-v2b") {
		b.AtMost("replicate-v2b: MB over the wire", wire("replicate-v2b")/1e6, mostReplicaV2b/1e6, "MB")
	}
	if b.has("pull-v2-with-v1") && b.has("replicate-v2") {
		b.AtMost("pull-v2-with-v1: bytes over the wire, in those of replicate-v2", wire("pull-v2-with-v1")/wire("replicate-v2"), mostPulledOfDelta, "")
	}
	if b.has("publish-rand") && peers {
		b.AtMost("publish-rand: bytes over the wire, in those of mc", b.ratio(b.of("publish-rand", loggia), b.of("publish-rand", "mc"), wireBytes).Median, mostRandStored, "")
	}
	for _, step := range []string{publish, pull} {
		if b.has(step + "-sparse") {
			got := b.ratio(b.of(step+"-sparse", loggia), b.of(step+"-solid", loggia), result.seconds).Median
			b.AtMost(step+"-sparse: time of 20 GiB with 1 GiB of data, in that of a 1 GiB file", got, mostSparse, "")
		}
	}
}

func (b *bench) judgeMemory() {
	var command, node int64
	for _, r := range b.Results {
		if r.Tool == loggia {
			command, node = max(command, r.Cost.RSS), max(node, nodeRSS(r))
		}
	}
	if command > 0 {
		b.AtMost("peak memory of the command over all jobs", float64(command)/(1<<20), mostMemory>>20, "MiB")
		b.AtMost("peak memory of a node over all jobs", float64(node)/(1<<20), mostMemory>>20, "MiB")
	}
}
