package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is a line of `go test -json` (see `go doc test2json`) or of the build before it.
type event struct {
	Action      string
	Package     string
	Test        string
	ImportPath  string // of a build
	Output      string
	Elapsed     float64 // seconds
	FailedBuild string
}

// key names a test, or with an empty test its package.
type key struct{ pkg, test string }

// maxOutput bounds what is kept of one test's output, from its end.
const maxOutput = 64 << 10

// report counts tests, subtests among them. passed+failed+skipped is what ran.
type report struct {
	w                       io.Writer
	output                  map[key][]string // of tests under way
	size                    map[key]int      // bytes in output
	failedIn                map[string]int   // failed tests by package
	bad                     []string         // names of failures and skips, in order
	passed, failed, skipped int
}

func newReport(w io.Writer) *report {
	return &report{w: w, output: map[key][]string{}, size: map[key]int{}, failedIn: map[string]int{}}
}

// good says whether tests ran and all passed.
func (r *report) good() bool { return r.passed > 0 && r.failed == 0 && r.skipped == 0 }

// read takes events until the input ends. Lines that are no events are shown as they are.
func (r *report) read(in *bufio.Reader) error {
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				r.event(e)
			} else {
				r.print("%s\n", strings.TrimRight(string(line), "\n"))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *report) event(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output":
		r.keep(k, e.Output)
	case "build-output":
		r.print("%s", e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.packageDone(k, e)
		} else {
			r.testDone(k, e)
		}
		delete(r.output, k)
		delete(r.size, k)
	}
}

func (r *report) keep(k key, output string) {
	r.output[k] = append(r.output[k], output)
	r.size[k] += len(output)
	for r.size[k] > maxOutput && len(r.output[k]) > 1 {
		r.size[k] -= len(r.output[k][0])
		r.output[k] = r.output[k][1:]
	}
}

func (r *report) testDone(k key, e event) {
	switch e.Action {
	case "pass":
		r.passed++
		return
	case "fail":
		r.failed++
		r.failedIn[k.pkg]++
	case "skip":
		r.skipped++
	}
	r.bad = append(r.bad, fmt.Sprintf("%s %s %s", e.Action, k.pkg, k.test))
	r.print("%s", strings.Join(r.output[k], ""))
}

// packageDone shows a package. One that failed without a failed test (it could not be built, or
// panicked outside a test, or ran out of time) counts as one failure.
func (r *report) packageDone(k key, e event) {
	switch {
	case e.Action == "skip":
		return // it has no tests
	case e.Action == "fail" && r.failedIn[k.pkg] == 0:
		r.failed++
		r.bad = append(r.bad, "fail "+k.pkg)
		for other, lines := range r.output { // whatever was under way
			if other.pkg == k.pkg && other.test != "" {
				r.print("%s", strings.Join(lines, ""))
			}
		}
		r.print("%s", strings.Join(r.output[k], ""))
	}
	r.print("%-4s %s %.1fs\n", e.Action, k.pkg, e.Elapsed)
}

// finish prints the sum.
func (r *report) finish() {
	slices.Sort(r.bad)
	for _, line := range r.bad {
		r.print("%s\n", line)
	}
	if r.passed+r.failed+r.skipped == 0 {
		r.print("no test ran\n")
	}
	r.print("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
}

func (r *report) print(format string, args ...any) { fmt.Fprintf(r.w, format, args...) }
