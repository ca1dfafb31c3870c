package main

import (
	"fmt"
	"slices"
	"strings"
)

// Steps are what a tool can do.
const (
	publish   = "publish"   // image -> store of a
	replicate = "replicate" // store of a -> store of b
	pull      = "pull"      // store of a -> file
	pullSeed  = "pull-seed" // the same with an older image at hand
	pullLinks = "pull-links"
)

// job is one row of the comparison: a step with an image.
type job struct {
	Name   string
	step   string
	image  string
	number string   // of the version that Loggia publishes the image as
	needs  []string // jobs that must have been done
	only   []string // tools that have this job; empty: all that know the step
	delta  bool     // nothing new for tools that copy whole files
	seed   string   // image at hand
}

// allJobs in their order, the one in which a gallery meets them.
var allJobs = []job{
	{Name: "publish-v1", step: publish, image: "v1", number: "1.0.0"},
	{Name: "replicate-v1", step: replicate, image: "v1", number: "1.0.0", needs: []string{"publish-v1"}},
	{Name: "pull-v1", step: pull, image: "v1", number: "1.0.0", needs: []string{"publish-v1"}},
	{Name: "pull-v1-links", step: pullLinks, image: "v1", number: "1.0.0", needs: []string{"publish-v1", "pull-v1"}},
	{Name: "publish-v2", step: publish, image: "v2", number: "2.0.0", needs: []string{"publish-v1"}, delta: true},
	{Name: "replicate-v2", step: replicate, image: "v2", number: "2.0.0", needs: []string{"replicate-v1", "publish-v2"}, delta: true},
	{Name: "pull-v2-with-v1", step: pullSeed, image: "v2", number: "2.0.0", needs: []string{"publish-v2"}, seed: "v1", delta: true},
	{Name: "publish-v2b", step: publish, image: "v2b", number: "1.1.0", needs: []string{"publish-v1"}, only: deltaTools, delta: true},
	{Name: "replicate-v2b", step: replicate, image: "v2b", number: "1.1.0", needs: []string{"replicate-v1", "publish-v2b"}, only: deltaTools, delta: true},
	{Name: "publish-rand", step: publish, image: "rand", number: "3.0.0", only: plainTools},
	{Name: "publish-solid", step: publish, image: "solid", number: "4.0.0", only: []string{loggia}},
	{Name: "publish-sparse", step: publish, image: "sparse", number: "5.0.0", only: []string{loggia}},
	{Name: "pull-solid", step: pull, image: "solid", number: "4.0.0", only: []string{loggia}, needs: []string{"publish-solid"}},
	{Name: "pull-sparse", step: pull, image: "sparse", number: "5.0.0", only: []string{loggia}, needs: []string{"publish-sparse"}},
}

// deltaTools re-send less than a whole image; plainTools show what incompressible bytes cost.
var (
	deltaTools = []string{loggia, alone, "restic", "kopia", "desync", "desync-256K"}
	plainTools = []string{loggia, alone, checked, plain, "mc", "rclone", "aws"}
)

func jobNames() []string {
	names := make([]string, len(allJobs))
	for i, j := range allJobs {
		names[i] = j.Name
	}
	return names
}

// chooseJobs returns the named jobs and what they need, in order.
func chooseJobs(names string) ([]job, error) {
	if names == "" {
		return allJobs, nil
	}
	want := map[string]bool{}
	for _, name := range strings.Split(names, ",") {
		if !slices.Contains(jobNames(), name) {
			return nil, fmt.Errorf("-jobs: no job %q; there are: %s", name, strings.Join(jobNames(), " "))
		}
		want[name] = true
	}
	for i := len(allJobs) - 1; i >= 0; i-- { // what is needed stands before
		if want[allJobs[i].Name] {
			for _, n := range allJobs[i].needs {
				want[n] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(allJobs), func(j job) bool { return !want[j.Name] }), nil
}
