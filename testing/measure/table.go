package measure

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table is rows of text under headings, the first column to the left and the others to the right.
type Table struct {
	Head []string
	rows [][]string
}

// Row adds a row: strings as they are, numbers as %v prints them.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.rows = append(t.rows, row)
}

// Print writes the table.
func (t *Table) Print(out io.Writer) error {
	width := 0
	for _, row := range append([][]string{t.Head}, t.rows...) {
		if len(row) > 0 {
			width = max(width, len([]rune(row[0])))
		}
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{t.Head}, t.rows...) {
		cells := append([]string(nil), row...)
		if len(cells) > 0 {
			cells[0] += strings.Repeat(" ", width-len([]rune(cells[0])))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
	}
	return w.Flush()
}

// MB prints bytes in units of 10^6, as the goals do.
func MB(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

// MiB prints bytes in units of 2^20.
func MiB(n int64) string { return fmt.Sprintf("%.0f", float64(n)/(1<<20)) }
