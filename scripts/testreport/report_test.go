package main

import (
	"bufio"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const a = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	for name, c := range map[string]struct {
		in, last string
		shows    string
		good     bool
	}{
		"passes": {
			in:   a + `{"Action":"output","Package":"p","Test":"TestA/x","Output":"quiet\n"}` + "\n" + `{"Action":"pass","Package":"p","Test":"TestA/x"}` + "\n" + `{"Action":"pass","Package":"p","Elapsed":1.5}` + "\n",
			last: "2 passed, 0 failed, 0 skipped", shows: "pass p 1.5s", good: true,
		},
		"fails": {
			in:   a + `{"Action":"output","Package":"p","Test":"TestB","Output":"loud\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n",
			last: "1 passed, 1 failed, 0 skipped", shows: "loud",
		},
		"skips":             {in: a + `{"Action":"skip","Package":"p","Test":"TestB"}` + "\n", last: "1 passed, 0 failed, 1 skipped", shows: "skip p TestB"},
		"package panics":    {in: a + `{"Action":"output","Package":"p","Output":"panic: x\n"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n", last: "1 passed, 1 failed, 0 skipped", shows: "panic: x"},
		"does not build":    {in: a + `{"ImportPath":"q","Action":"build-output","Output":"q.go:1: no\n"}` + "\n" + `{"Action":"fail","Package":"q","FailedBuild":"q"}` + "\n", last: "1 passed, 1 failed, 0 skipped", shows: "q.go:1: no"},
		"package of none":   {in: a + `{"Action":"skip","Package":"q"}` + "\n", last: "1 passed, 0 failed, 0 skipped", good: true},
		"nothing":           {last: "0 passed, 0 failed, 0 skipped", shows: "no test ran"},
		"other text passes": {in: a + "go: downloading x\n", last: "1 passed, 0 failed, 0 skipped", shows: "go: downloading x", good: true},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(bufio.NewReader(strings.NewReader(c.in))); err != nil {
				t.Fatal(err)
			}
			r.finish()
			if got := out.String(); !strings.HasSuffix(got, c.last+"\n") || !strings.Contains(got, c.shows) || strings.Contains(got, "quiet") {
				t.Errorf("got:\n%s\nwant it to show %q and to end in %q", got, c.shows, c.last)
			}
			if r.good() != c.good {
				t.Errorf("good is %t", r.good())
			}
		})
	}
}
