package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// table is what a person sees of a value.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// checkFormat refuses an unknown --output before anything is done. Commands with an --output of their own name a file.
func (c *cli) checkFormat(cmd *cobra.Command) error {
	if f := cmd.LocalNonPersistentFlags().Lookup("output"); f != nil {
		c.format = env("LOGGIA_OUTPUT", "table")
	}
	if !slices.Contains(formats, c.format) {
		return usageError{fmt.Errorf("--output: %q: must be table, json or yaml", c.format)}
	}
	return nil
}

// formats are what --output may say; nothing means a table.
var formats = []string{"table", "json", "yaml", ""}

// print writes v in the asked format, and t where that is a table.
func (c *cli) print(v any, t table) error {
	switch c.format {
	case "json":
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case "yaml":
		return c.printYAML(v)
	default:
		return c.printTable(t)
	}
}

// printYAML goes through JSON, so that both formats have the same names.
func (c *cli) printYAML(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil {
		return err
	}
	plain(&n)
	e := yaml.NewEncoder(c.out)
	e.SetIndent(2)
	if err := e.Encode(&n); err != nil {
		return err
	}
	return e.Close()
}

// plain drops JSON's flow style and quotes.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plain(c)
	}
}

func (c *cli) printTable(t table) error {
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	if len(t.head) > 0 {
		fmt.Fprintln(w, strings.Join(t.head, "\t"))
	}
	for _, r := range t.rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// size writes bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n), -1
	for v >= unit && i < 4 {
		v /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[i])
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
