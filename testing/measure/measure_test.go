package measure

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{3}, Spread{3, 3, 3, 1}},
		{[]float64{5, 1, 2}, Spread{2, 1, 5, 3}},
		{[]float64{4, 1}, Spread{2.5, 1, 4, 2}},
	} {
		if got := SpreadOf(c.values); got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.values, got, c.want)
		}
	}
	if got := SpreadOf(nil); !math.IsNaN(got.Median) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestVerdicts(t *testing.T) {
	var v Verdicts
	v.AtMost("time", 1.5, 2, "s")
	v.AtLeast("share", 0.9, 0.8, "")
	if v.Err() != nil {
		t.Error(v.Err())
	}
	v.AtMost("bytes", 3, 2, "MB")
	v.AtLeast("nothing", math.NaN(), 1, "")
	if err := v.Err(); err == nil || !strings.Contains(err.Error(), "missed by 50.0 %") || !strings.Contains(err.Error(), "not measured") {
		t.Error(err)
	}
	if err := WriteJSON(t.TempDir()+"/deep/v.json", v); err != nil {
		t.Error(err)
	}
}

// TestRun measures a pipe: its processor time and memory are those of all its processes.
func TestRun(t *testing.T) {
	count := int64(0)
	p := Probe{Servers: map[string]int{"me": os.Getpid()}, Wire: func() (map[string]int64, error) {
		count += 7
		return map[string]int64{"line": count}, nil
	}}
	cmd := exec.Command("bash", "-c", `head -c 300M /dev/zero | tail -c 250M | (read -r -t 1 x < <(sleep 0.3) || true; cat >/dev/null)`)
	c, err := p.Run(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if c.Wall <= 0 || c.CPU <= 0 || c.Wire["line"] != 7 || c.Servers["me"].RSS < 1<<20 {
		t.Errorf("got %+v", c)
	}
	if _, err := p.Run(t.Context(), exec.Command("bash", "-c", "echo alas >&2; exit 3")); err == nil || !strings.Contains(err.Error(), "alas") {
		t.Errorf("a failing command: %v", err)
	}
}

// TestRunEndsWithItsContext kills a shell whose child holds the output open.
func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.Command("bash", "-c", "sleep 1000; true")
	ready := func() (map[string]int64, error) {
		cancel()
		return nil, nil
	}
	if _, err := (Probe{Wire: ready}).Run(ctx, cmd); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestPeak(t *testing.T) {
	before, err := PeakRSS(os.Getpid())
	if err != nil || before < 1<<20 {
		t.Fatal(before, err)
	}
	if err := ResetPeak(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if used, err := CPU(os.Getpid()); err != nil || used < 0 || used > time.Hour {
		t.Error(used, err)
	}
	if busy, err := Busy(); err != nil || busy <= 0 {
		t.Error(busy, err)
	}
}

func TestFigure(t *testing.T) {
	f := Figure{Title: "links <&>", Step: 0.25, Unit: "s", Panels: []Panel{
		{Title: "up", Unit: "MB/s", Limit: 12.5, Series: []Series{{"a", []float64{0, 5, 12}}, {"b", nil}}},
		{Title: "down"},
	}}
	var b bytes.Buffer
	if err := f.SVG(&b); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if got := Sparkline([]float64{0, 0, 5, 5, 10, 10}, 10, 3); got != "▁▅█" {
		t.Errorf("got %q", got)
	}
	if got := Sparkline(nil, 1, 10); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestTable(t *testing.T) {
	table := Table{Head: []string{"job", "s"}}
	table.Row("publish é", 1.5)
	var b bytes.Buffer
	if err := table.Print(&b); err != nil || !strings.Contains(b.String(), "publish é  1.5") {
		t.Errorf("%q, %v", b.String(), err)
	}
}
