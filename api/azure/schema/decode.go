package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"loggia/api/azure/fault"
)

// Bounds of a body (S5). Its length is the reader's to bound.
const (
	maxDepth   = 24
	maxText    = 8 << 10  // bytes of a text that has no bound of its own
	maxTags    = 50       // Azure's bound
	maxTag     = 512      // bytes of a tag's name
	maxTagText = 256      // bytes of its value
	maxFaults  = 16       // that are told of one body
	maxOpaque  = 12 << 10 // bytes of JSON that is kept as it comes
)

// Decode reads the body of a write: an object whose known members have their types. Members that nobody knows, that the kind shows only, or
// that are null, are dropped. Texts stand for numbers and dates where that is what clients send.
// Its error is a *fault.Fault with all that is wrong, each with its path.
func Decode(k Kind, _ Version, body []byte) (Tree, error) {
	raw, err := parse(body)
	if err != nil {
		return nil, err
	}
	d := &decoder{}
	out := d.members(kinds[k], raw, string(k))
	if f := fault.Join(d.faults...); f != nil {
		return nil, f
	}
	return out, nil
}

// parse reads one JSON object and bounds its depth before anything is built.
func parse(body []byte) (Tree, error) {
	malformed := func(why string) error {
		return fault.New(fault.InvalidRequestContent, "The request content was invalid and could not be deserialized: %s.", why)
	}
	if !utf8.Valid(body) {
		return nil, malformed("it is not UTF-8")
	}
	if err := shallow(body); err != nil {
		return nil, malformed(err.Error())
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, malformed("it is not JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("it holds more than one value")
	}
	t, ok := v.(map[string]any)
	if !ok {
		return nil, malformed("it must be an object")
	}
	return t, nil
}

// shallow refuses bodies that are nested too deeply, by counting brackets outside of texts.
func shallow(body []byte) error {
	depth, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("it is nested more than %d deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

type decoder struct{ faults []*fault.Fault }

func (d *decoder) bad(code fault.Code, at, message string, args ...any) {
	if len(d.faults) < maxFaults {
		d.faults = append(d.faults, fault.At(code, at, message, args...))
	}
}

func (d *decoder) members(fields []field, in Tree, at string) Tree {
	out := Tree{}
	for i := range fields {
		f := &fields[i]
		v, given := in[f.name]
		if v == nil && f.alias != "" {
			v, given = in[f.alias], true
		}
		if !given || v == nil || f.mode == readOnly {
			continue
		}
		if v, ok := d.value(f, v, at+"."+f.name); ok {
			out[f.name] = v
		}
	}
	return out
}

func (d *decoder) value(f *field, v any, at string) (any, bool) {
	switch f.shape {
	case text:
		return d.text(f, v, at)
	case flag:
		return d.flag(v, at)
	case number, large:
		return d.number(f, v, at)
	case date:
		return d.date(v, at)
	case choice:
		return d.choice(f, v, at)
	case object:
		if m, ok := v.(map[string]any); ok {
			return d.members(f.of, m, at), true
		}
		d.bad(fault.InvalidRequestContent, at, "The member must be an object.")
	case list:
		return d.list(f, v, at)
	case texts:
		return d.texts(f, v, at)
	case dict:
		return d.tags(v, at)
	case anything:
		return d.opaque(v, at)
	}
	return nil, false
}

func (d *decoder) text(f *field, v any, at string) (any, bool) {
	s, ok := v.(string)
	if !ok {
		d.bad(fault.InvalidRequestContent, at, "The member must be a text.")
		return nil, false
	}
	limit := f.max
	if limit == 0 {
		limit = maxText
	}
	if len(s) > limit {
		d.bad(fault.InvalidParameter, at, "The text has %d bytes, at most %d are allowed.", len(s), limit)
		return nil, false
	}
	return s, true
}

func (d *decoder) flag(v any, at string) (any, bool) {
	switch x := v.(type) {
	case bool:
		return x, true
	case string: // az's generic --set sends texts
		if b, err := strconv.ParseBool(strings.ToLower(x)); err == nil && len(x) > 1 {
			return b, true
		}
	}
	d.bad(fault.InvalidRequestContent, at, "The member must be true or false.")
	return nil, false
}

func (d *decoder) number(f *field, v any, at string) (any, bool) {
	var s string
	switch x := v.(type) {
	case json.Number:
		s = x.String()
	case string: // templates send numbers as texts
		s = strings.TrimSpace(x)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		d.bad(fault.InvalidRequestContent, at, "The member must be a whole number.")
		return nil, false
	}
	low, high := int64(f.min), int64(f.max)
	if f.shape == large || high == 0 {
		low, high = 0, math.MaxInt64
	}
	if n < low || n > high {
		d.bad(fault.InvalidParameter, at, "The number is %d, %d to %d are allowed.", n, low, high)
		return nil, false
	}
	return n, true
}

// dateForms are how clients write dates; what has no zone is UTC.
var dateForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02"}

// DateForm is how dates are answered.
const DateForm = "2006-01-02T15:04:05.0000000+00:00"

func (d *decoder) date(v any, at string) (any, bool) {
	s, _ := v.(string)
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil && t.Year() >= 1970 && t.Year() < 9000 {
			return t.UTC().Format(DateForm), true
		}
	}
	d.bad(fault.InvalidRequestContent, at, "The member must be a date, such as 2030-01-01T00:00:00Z.")
	return nil, false
}

func (d *decoder) choice(f *field, v any, at string) (any, bool) {
	s, ok := v.(string)
	if !ok {
		d.bad(fault.InvalidRequestContent, at, "The member must be a text.")
		return nil, false
	}
	for _, canonical := range f.values {
		if strings.EqualFold(canonical, s) {
			return canonical, true
		}
	}
	d.bad(fault.InvalidParameter, at, "The value '%.64s' is none of: %s.", s, strings.Join(f.values, ", "))
	return nil, false
}

func (d *decoder) list(f *field, v any, at string) (any, bool) {
	in, ok := v.([]any)
	if !ok {
		d.bad(fault.InvalidRequestContent, at, "The member must be an array.")
		return nil, false
	}
	if len(in) > f.max {
		d.bad(fault.InvalidParameter, at, "The array has %d elements, at most %d are allowed.", len(in), f.max)
		return nil, false
	}
	out := make([]any, 0, len(in))
	seen := map[string]bool{}
	for i, x := range in {
		where := fmt.Sprintf("%s[%d]", at, i)
		m, ok := x.(map[string]any)
		if !ok {
			d.bad(fault.InvalidRequestContent, where, "The element must be an object.")
			continue
		}
		e := d.members(f.of, m, where)
		d.required(f.of, e, where)
		if id := identity(f, e); id != "" {
			if seen[id] {
				d.bad(fault.InvalidParameter, at, "The element with the %s '%v' is there twice.", f.key, e[f.key])
			}
			seen[id] = true
		}
		out = append(out, e)
	}
	return out, true
}

// identity tells the elements of a list apart: names of regions are equal when they are written differently.
func identity(f *field, e Tree) string {
	v, ok := e[f.key]
	if f.key == "" || !ok {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(fmt.Sprint(v), " ", ""))
}

// required notes what an element lacks: elements are always new.
func (d *decoder) required(fields []field, t Tree, at string) {
	for i := range fields {
		if f := &fields[i]; f.required && t[f.name] == nil {
			d.bad(fault.InvalidParameter, at+"."+f.name, "The member is required.")
		}
	}
}

func (d *decoder) texts(f *field, v any, at string) (any, bool) {
	in, ok := v.([]any)
	if !ok || len(in) > f.max {
		d.bad(fault.InvalidRequestContent, at, "The member must be an array of at most %d texts.", f.max)
		return nil, false
	}
	for i, x := range in {
		if s, ok := x.(string); !ok || len(s) > maxTagText {
			d.bad(fault.InvalidRequestContent, fmt.Sprintf("%s[%d]", at, i), "The element must be a text of at most %d bytes.", maxTagText)
			return nil, false
		}
	}
	return in, true
}

func (d *decoder) tags(v any, at string) (any, bool) {
	in, ok := v.(map[string]any)
	if !ok {
		d.bad(fault.InvalidRequestContent, at, "The member must be an object of texts.")
		return nil, false
	}
	out := Tree{}
	for name, x := range in {
		if x == nil {
			x = ""
		}
		s, ok := x.(string)
		switch {
		case !ok:
			d.bad(fault.InvalidRequestContent, at+"."+name, "The value must be a text.")
		case name == "" || len(name) > maxTag || len(s) > maxTagText:
			d.bad(fault.InvalidParameter, at, "The name has 1 to %d bytes and the value at most %d.", maxTag, maxTagText)
		}
		out[name] = s
	}
	if len(in) > maxTags {
		d.bad(fault.InvalidParameter, at, "At most %d are allowed, there are %d.", maxTags, len(in))
	}
	return out, true
}

func (d *decoder) opaque(v any, at string) (any, bool) {
	b, err := json.Marshal(v)
	if err != nil || len(b) > maxOpaque {
		d.bad(fault.InvalidParameter, at, "The member has %d bytes, at most %d are allowed.", len(b), maxOpaque)
		return nil, false
	}
	return plain(v), true
}

// plain turns numbers as they were written into the types that trees hold.
func plain(v any) any {
	switch x := v.(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		n, _ := x.Float64()
		return n
	case map[string]any:
		for k, e := range x {
			x[k] = plain(e)
		}
	case []any:
		for i, e := range x {
			x[i] = plain(e)
		}
	}
	return v
}
