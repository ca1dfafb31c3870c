package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// bar is one line of progress.
type bar struct {
	name        string
	done, total int64
	rate        float64 // bytes per second
	eta         time.Duration
	note        string
}

// board shows bars: redrawn in place on a terminal, as plain lines elsewhere.
type board struct {
	out   io.Writer
	tty   bool
	width int

	mu    sync.Mutex
	bars  []bar
	drawn int // lines on the screen
	stop  chan struct{}
	ended chan struct{}
}

// The pace of the display: a terminal is redrawn, a log gets a line per bar that moved.
const (
	redraw    = 200 * time.Millisecond
	plainLine = 5 * time.Second
)

func newBoard(out io.Writer) *board {
	b := &board{out: out, width: 100, stop: make(chan struct{}), ended: make(chan struct{})}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.tty = true
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 40 {
			b.width = w
		}
	}
	go b.run()
	return b
}

// set replaces the bar of that name, or adds it.
func (b *board) set(n bar) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.bars {
		if b.bars[i].name == n.name {
			b.bars[i] = n
			return
		}
	}
	b.bars = append(b.bars, n)
}

// close draws the last state and ends the display.
func (b *board) close() {
	close(b.stop)
	<-b.ended
}

func (b *board) run() {
	defer close(b.ended)
	pace := plainLine
	if b.tty {
		pace = redraw
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	last := map[string]string{}
	for {
		select {
		case <-tick.C:
			b.draw(last)
		case <-b.stop:
			b.draw(last)
			return
		}
	}
}

func (b *board) draw(last map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.tty {
		for _, n := range b.bars {
			if s := n.text(); last[n.name] != s {
				last[n.name] = s
				fmt.Fprintln(b.out, s)
			}
		}
		return
	}
	if b.drawn > 0 {
		fmt.Fprintf(b.out, "\x1b[%dA", b.drawn)
	}
	for _, n := range b.bars {
		fmt.Fprintf(b.out, "\x1b[2K%s\n", n.graphic(b.width))
	}
	b.drawn = len(b.bars)
}

// pace sets rate and ETA from what was done since the beginning.
func (n *bar) pace(since time.Duration) {
	if since < 100*time.Millisecond || n.done <= 0 {
		return
	}
	n.rate = float64(n.done) / since.Seconds()
	n.eta = time.Duration(float64(n.total-n.done) / n.rate * float64(time.Second))
}

func (n bar) percent() int {
	if n.total <= 0 {
		return 0
	}
	return int(min(100, n.done*100/n.total))
}

// text is a bar as one plain line.
func (n bar) text() string {
	s := fmt.Sprintf("%-12s %3d%%  %s of %s", n.name, n.percent(), size(n.done), size(n.total))
	return s + n.tail()
}

func (n bar) tail() string {
	s := ""
	if n.rate > 0 {
		s += fmt.Sprintf("  %s/s", size(int64(n.rate)))
	}
	if n.eta > 0 {
		s += fmt.Sprintf("  %s left", n.eta.Round(time.Second))
	}
	if n.note != "" {
		s += "  " + n.note
	}
	return s
}

// graphic is a bar as one line of a terminal of that width.
func (n bar) graphic(width int) string {
	head := fmt.Sprintf("%-12s ", n.name)
	tail := fmt.Sprintf(" %3d%%  %s of %s%s", n.percent(), size(n.done), size(n.total), n.tail())
	room := max(10, min(40, width-1-len(head)-len(tail)-2)) // the last column stays free: some terminals wrap there
	full := room * n.percent() / 100
	line := head + "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "]" + tail
	if r := []rune(line); len(r) > width-1 {
		line = string(r[:width-1])
	}
	return line
}
