package measure

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Series is one line of a figure: values at equal steps.
type Series struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
}

// Panel is one diagram, with a vertical axis of its own.
type Panel struct {
	Title  string
	Unit   string
	Limit  float64 // drawn as a dashed line; 0 draws none
	Series []Series
}

// Figure is diagrams below each other over one horizontal axis.
type Figure struct {
	Title  string
	Step   float64 // between two values
	Unit   string  // of the horizontal axis
	Panels []Panel
}

// Measures of the drawing, in pixels.
const (
	figureWidth = 900
	panelHeight = 110
	left, right = 70, 150
	top, gap    = 40, 34
)

var colours = []string{"#1b6ca8", "#d1495b", "#2e8b57", "#8e6c8a", "#e08e0b", "#555555"}

// SVG writes the figure.
func (f Figure) SVG(out io.Writer) error {
	var b strings.Builder
	height := top + len(f.Panels)*(panelHeight+gap) + gap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", figureWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="22" font-size="15">%s</text>`+"\n", left, escape(f.Title))
	steps := 1
	for _, p := range f.Panels {
		for _, s := range p.Series {
			steps = max(steps, len(s.Values)-1)
		}
	}
	for i, p := range f.Panels {
		p.draw(&b, top+i*(panelHeight+gap), steps)
	}
	y := height - gap + 12
	for i := range 6 {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%.4g</text>`+"\n", left+i*(figureWidth-left-right)/5, y, f.Step*float64(steps)*float64(i)/5)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n</svg>\n", figureWidth-right+24, y, escape(f.Unit))
	_, err := io.WriteString(out, b.String())
	return err
}

// draw draws a panel whose upper edge is at y.
func (p Panel) draw(b *strings.Builder, y, steps int) {
	most := p.Limit
	for _, s := range p.Series {
		for _, v := range s.Values {
			most = math.Max(most, v)
		}
	}
	if most == 0 {
		most = 1
	}
	width := figureWidth - left - right
	at := func(i int, v float64) (float64, float64) {
		return float64(left) + float64(i*width)/float64(steps), float64(y+panelHeight) - v/most*float64(panelHeight)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" fill="#333">%s</text>`+"\n", left, y-4, escape(p.Title))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#bbb"/>`+"\n", left, y, width, panelHeight)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%.4g %s</text><text x="%d" y="%d" text-anchor="end">0</text>`+"\n", left-4, y+10, most, escape(p.Unit), left-4, y+panelHeight)
	if p.Limit > 0 {
		x, h := at(steps, p.Limit)
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#999" stroke-dasharray="4 3"/>`+"\n", left, h, x, h)
	}
	for i, s := range p.Series {
		colour := colours[i%len(colours)]
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.4" points="`, colour)
		for j, v := range s.Values {
			x, h := at(j, v)
			fmt.Fprintf(b, "%.1f,%.1f ", x, h)
		}
		fmt.Fprintf(b, `"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n", figureWidth-right+8, y+12+13*i, colour, escape(s.Name))
	}
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// Sparkline draws values as one line of text, at most width characters, scaled to most.
func Sparkline(values []float64, most float64, width int) string {
	const bars = "▁▂▃▄▅▆▇█"
	marks := []rune(bars)
	n := min(len(values), width)
	line := make([]rune, 0, n)
	for i := range n {
		from, to := i*len(values)/n, (i+1)*len(values)/n
		sum := 0.0
		for _, v := range values[from:to] {
			sum += v
		}
		level := 0
		if most > 0 {
			level = int(sum / float64(to-from) / most * float64(len(marks)))
		}
		line = append(line, marks[max(0, min(level, len(marks)-1))])
	}
	return string(line)
}

// WriteSVG writes the figure into a file, and its folder where that is missing.
func WriteSVG(file string, f Figure) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(f.SVG(out), out.Close())
}
