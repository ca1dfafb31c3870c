package azure

import (
	"encoding/json"
	"strings"
	"time"

	"loggia/api/azure/schema"
)

// The helpers below read and write trees of a body. What has another type than asked for counts as absent: the schema
// has checked the types of whatever a client wrote.

func members(t schema.Tree, path string) schema.Tree {
	for name := range strings.SplitSeq(path, ".") {
		next, _ := t[name].(map[string]any)
		t = next
	}
	return t
}

// made returns the object at a path and makes what is missing on the way.
func made(t schema.Tree, path string) schema.Tree {
	for name := range strings.SplitSeq(path, ".") {
		next, ok := t[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			t[name] = next
		}
		t = next
	}
	return t
}

func cut(path string) (object, name string) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

func member(t schema.Tree, path string) any {
	object, name := cut(path)
	if object != "" {
		t = members(t, object)
	}
	return t[name]
}

func text(t schema.Tree, path string) string {
	s, _ := member(t, path).(string)
	return s
}

func flag(t schema.Tree, path string) bool {
	b, _ := member(t, path).(bool)
	return b
}

// flagIf is a flag that may be absent.
func flagIf(t schema.Tree, path string) *bool {
	if b, ok := member(t, path).(bool); ok {
		return &b
	}
	return nil
}

func integer(t schema.Tree, path string) int64 {
	switch n := member(t, path).(type) {
	case int64:
		return n
	case int:
		return int64(n)
	case int32:
		return int64(n)
	case float64:
		return int64(n)
	case json.Number:
		i, _ := n.Int64()
		return i
	}
	return 0
}

func objects(t schema.Tree, path string) []schema.Tree {
	list, _ := member(t, path).([]any)
	var out []schema.Tree
	for _, x := range list {
		if o, ok := x.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

func texts(t schema.Tree, path string) []string {
	list, _ := member(t, path).([]any)
	var out []string
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func date(t schema.Tree, path string) time.Time {
	when, _ := time.Parse(time.RFC3339Nano, text(t, path))
	return when.UTC()
}

func tags(t schema.Tree) map[string]string {
	m, _ := t["tags"].(map[string]any)
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k], _ = v.(string)
	}
	return out
}

// set writes a member; the zero value removes it.
func set[T comparable](t schema.Tree, path string, v T) {
	var zero T
	object, name := cut(path)
	if v == zero {
		if object != "" {
			t = members(t, object)
		}
		delete(t, name)
		return
	}
	if object != "" {
		t = made(t, object)
	}
	t[name] = v
}

// always writes a member, the zero value too.
func always(t schema.Tree, path string, v any) {
	object, name := cut(path)
	if object != "" {
		t = made(t, object)
	}
	t[name] = v
}

func setDate(t schema.Tree, path string, v time.Time) {
	if v.IsZero() {
		set(t, path, "")
		return
	}
	set(t, path, stamp(v))
}

func setTags(t schema.Tree, m map[string]string) {
	delete(t, "tags")
	if len(m) == 0 {
		return
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	t["tags"] = out
}

// jsonText is a value that is JSON already.
type jsonText []byte

// MarshalJSON implements json.Marshaler.
func (j jsonText) MarshalJSON() ([]byte, error) { return j, nil }

// kept is what a row keeps of the wire for the members that mean nothing in here.
func kept(wire []byte) schema.Tree {
	t := schema.Tree{}
	if len(wire) > 0 {
		_ = json.Unmarshal(wire, &t) // we wrote it; what cannot be read is as if it had never been given
	}
	return t
}

// keep writes what a row keeps: the properties, and the members of the envelope that no row has.
func keep(t schema.Tree) []byte {
	out := schema.Tree{}
	for name, v := range t {
		switch name {
		case "id", "name", "type", "location", "tags", "systemData", "etag":
		default:
			out[name] = v
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil // a tree that was decoded can be encoded
	}
	return b
}
