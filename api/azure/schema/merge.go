package schema

import (
	"net/http"
	"slices"
)

// Merge lays what a client sent over what there is, and returns a new tree. A PUT keeps what its api-version does not know, what is immutable and
// absent, and members that are known to be left out (sticky); a known member that is absent in a present object goes to its default.
// Lists are replaced whole, but elements keep what their api-version does not know. A PATCH changes what is present.
func Merge(k Kind, v Version, old, in Tree, method string) Tree {
	m := merger{version: v, patch: method == http.MethodPatch}
	out := m.members(kinds[k], old, in)
	return out
}

type merger struct {
	version Version
	patch   bool
}

func (m merger) members(fields []field, old, in Tree) Tree {
	out := Tree{}
	for i := range fields {
		f := &fields[i]
		if v := m.member(f, old[f.name], in[f.name]); v != nil {
			out[f.name] = v
		}
	}
	return out
}

// member decides about one member. nil stands for absent.
func (m merger) member(f *field, old, in any) any {
	if f.mode == readOnly || !m.version.Knows(f.since) {
		return clone(old)
	}
	if in == nil {
		return m.absent(f, old)
	}
	switch f.shape {
	case object:
		o, _ := old.(map[string]any)
		i, _ := in.(map[string]any)
		return m.members(f.of, o, i)
	case list:
		return m.elements(f, old, in)
	}
	return clone(in)
}

// absent is a member that the client knows and did not send.
func (m merger) absent(f *field, old any) any {
	switch {
	case m.patch || f.sticky || f.mode == immutable || f.name == "properties":
		return clone(old)
	case f.shape == object:
		// What is immutable, or not known to the client, survives inside.
		if o, ok := old.(map[string]any); ok {
			if kept := m.members(f.of, o, nil); len(kept) > 0 {
				return kept
			}
		}
		return nil
	}
	return clone(f.def)
}

// elements replaces a list, with PATCH too, and keeps in each element what its client could not have sent.
func (m merger) elements(f *field, old, in any) any {
	m.patch = false
	was, _ := old.([]any)
	now, _ := in.([]any)
	out := make([]any, 0, len(now))
	for _, x := range now {
		e, _ := x.(map[string]any)
		before, _ := find(f, was, e).(map[string]any)
		out = append(out, m.members(f.of, before, e))
	}
	return out
}

func find(f *field, in []any, e Tree) any {
	id := identity(f, e)
	i := slices.IndexFunc(in, func(x any) bool {
		o, _ := x.(map[string]any)
		return id != "" && identity(f, o) == id
	})
	if i < 0 {
		return nil
	}
	return in[i]
}

// clone copies a value, so that trees share nothing.
func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(Tree, len(x))
		for k, e := range x {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = clone(e)
		}
		return out
	}
	return v
}
