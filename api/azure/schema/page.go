package schema

import (
	"fmt"
	"strings"
)

// pageOrder is the order of the kinds on the page of compatibility.
var pageOrder = []Kind{Gallery, Image, ImageVersion, Application, ApplicationVersion, Snapshot, ResourceGroup}

var modeWords = map[mode]string{updatable: "updatable", immutable: "immutable", readOnly: "read-only"}

// Page is the table of fields for people: what is the same here, what differs and how, what is not yet there.
func Page() string {
	var b strings.Builder
	b.WriteString("\n## Fields\n\n*Kept* means that a PUT without it keeps it. Whatever an api-version does not know is kept by its writes.\n")
	for _, k := range pageOrder {
		fmt.Fprintf(&b, "\n### %s\n\n| field | since | | here |\n|---|---|---|---|\n", k)
		lines(&b, kinds[k], "")
	}
	return b.String()
}

func lines(b *strings.Builder, fields []field, before string) {
	for i := range fields {
		f := &fields[i]
		words := modeWords[f.mode]
		if f.required {
			words += ", required"
		}
		if f.sticky {
			words += ", kept"
		}
		here := "same"
		if f.note != "" {
			here = f.note
		}
		name := before + f.name
		if f.alias != "" {
			name += " (or " + f.alias + ")"
		}
		if f.shape == object && f.note == "" {
			lines(b, f.of, name+".")
			continue
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, f.since, words, here)
		if f.shape == list && f.note == "" {
			lines(b, f.of, name+"[].")
		}
	}
}
