package imports

import (
	"fmt"
	"slices"
	"strings"
)

// check returns a sentence for each broken rule, sorted.
func check(all map[string]pkg) []string {
	var faults []string
	for _, p := range all {
		if forTests(p.room()) {
			continue
		}
		for _, imported := range p.Imports {
			if why := upward(p, imported); why != "" {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", p.room(), imported, why))
			}
			if why := disowned(p, imported); why != "" {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", p.room(), imported, why))
			}
			if room, ok := strings.CutPrefix(imported, module); in(imported, testOnly) || ok && forTests(room) {
				faults = append(faults, fmt.Sprintf("%s imports %s: it is for tests only", p.room(), imported))
			}
		}
		faults = append(faults, banned(all, p)...)
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

// level returns a room's place in layers, 0 outermost, or -1.
func level(room string) int {
	return slices.IndexFunc(layers, func(rooms []string) bool { return in(room, rooms) })
}

// upward says what is wrong with an import's direction.
func upward(p pkg, imported string) string {
	room, ok := strings.CutPrefix(imported, module)
	if !ok || forTests(room) {
		return ""
	}
	from, to := level(p.room()), level(room)
	switch {
	case from < 0:
		return fmt.Sprintf("room %s has no layer", p.room())
	case to < 0:
		return fmt.Sprintf("room %s has no layer", room)
	case from > to:
		return fmt.Sprintf("%s stands above %s", top(room), top(p.room()))
	}
	return ""
}

func top(room string) string {
	first, _, _ := strings.Cut(room, "/")
	return first
}

// disowned says why a library is not for the package.
func disowned(p pkg, imported string) string {
	for _, o := range owners {
		if in(imported, []string{o.library}) && !in(p.room(), o.rooms) {
			return fmt.Sprintf("only %s may: %s", strings.Join(o.rooms, ", "), o.reason)
		}
	}
	return ""
}

// banned lists what the package, or for deep bans one that it reaches, may not import.
func banned(all map[string]pkg, p pkg) []string {
	var faults []string
	for _, b := range bans {
		if !in(p.room(), b.rooms) {
			continue
		}
		reached := []pkg{p}
		if b.deep {
			reached = reach(all, p)
		}
		for _, q := range reached {
			for _, imported := range q.Imports {
				if in(imported, b.packages) {
					faults = append(faults, fmt.Sprintf("%s%s imports %s: %s", p.room(), through(p, q), imported, b.reason))
				}
			}
		}
	}
	return faults
}

func through(p, q pkg) string {
	if p.ImportPath == q.ImportPath {
		return ""
	}
	return ", through " + q.room() + ","
}
