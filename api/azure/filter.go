package azure

import (
	"strings"

	"loggia/api/azure/fault"
)

// Bounds of a filter.
const (
	maxFilter = 2 << 10 // bytes
	maxTerms  = 16
)

// filter is what clients ask lists for: terms joined by "and", each a comparison of one name with one text, or a function of one.
type filter []term

type term struct {
	name   string // lower case
	not    bool   // ne
	value  string
	method string // eq, substringof, startswith, or the name of a function without a comparison
}

// parseFilter reads $filter: `resourceType eq 'Microsoft.Compute/galleries' and tagName eq 'a'`, `startswith(name,'x')`,
// `substringof('x',name)`, `atScope()`, `assignedTo('id')`.
func parseFilter(text string) (filter, error) {
	bad := func(why string) (filter, error) {
		return nil, fault.At(fault.InvalidFilter, "$filter", "The filter cannot be read: %s.", why)
	}
	if len(text) > maxFilter {
		return bad("it is too long")
	}
	s := &scanner{rest: text}
	var out filter
	for s.skip(); s.rest != ""; s.skip() {
		if len(out) > 0 && !strings.EqualFold(s.word(), "and") {
			return bad("terms are joined by 'and'")
		}
		t, ok := s.term()
		if !ok || len(out) == maxTerms {
			return bad("a term compares one name with one quoted text, at most " + "16 of them")
		}
		out = append(out, t)
	}
	return out, nil
}

type scanner struct{ rest string }

func (s *scanner) skip() { s.rest = strings.TrimLeft(s.rest, " ") }

func (s *scanner) word() string {
	s.skip()
	i := strings.IndexFunc(s.rest, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '/' && r != '.' && r != '_'
	})
	if i < 0 {
		i = len(s.rest)
	}
	w := s.rest[:i]
	s.rest = s.rest[i:]
	s.skip()
	return w
}

func (s *scanner) sign(c string) bool {
	s.skip()
	rest, ok := strings.CutPrefix(s.rest, c)
	s.rest = rest
	return ok
}

// quoted reads 'text', in which a doubled quote stands for one.
func (s *scanner) quoted() (string, bool) {
	if !s.sign("'") {
		return "", false
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s.rest, '\'')
		if i < 0 {
			return "", false
		}
		b.WriteString(s.rest[:i])
		s.rest = s.rest[i+1:]
		if !strings.HasPrefix(s.rest, "'") {
			return b.String(), true
		}
		b.WriteByte('\'')
		s.rest = s.rest[1:]
	}
}

func (s *scanner) term() (term, bool) {
	w := s.word()
	if w == "" {
		return term{}, false
	}
	if s.sign("(") {
		return s.call(strings.ToLower(w))
	}
	op := strings.ToLower(s.word())
	v, ok := s.quoted()
	return term{name: strings.ToLower(w), method: "eq", not: op == "ne", value: v}, ok && (op == "eq" || op == "ne")
}

func (s *scanner) call(method string) (term, bool) {
	t := term{method: method}
	switch method {
	case "atscope":
	case "assignedto":
		v, ok := s.quoted()
		if !ok {
			return t, false
		}
		t.value = v
	case "startswith":
		t.name = strings.ToLower(s.word())
		comma := s.sign(",")
		v, ok := s.quoted()
		if t.value = v; !comma || !ok {
			return t, false
		}
	case "substringof":
		v, ok := s.quoted()
		comma := s.sign(",")
		t.name, t.value = strings.ToLower(s.word()), v
		if !comma || !ok {
			return t, false
		}
	default:
		return t, false
	}
	return t, s.sign(")")
}

// has says whether a function without a comparison is among the terms.
func (f filter) has(method string) (string, bool) {
	for _, t := range f {
		if t.method == method {
			return t.value, true
		}
	}
	return "", false
}

// equal returns the text that a name is compared with by eq.
func (f filter) equal(name string) (string, bool) {
	for _, t := range f {
		if t.method == "eq" && !t.not && t.name == strings.ToLower(name) {
			return t.value, true
		}
	}
	return "", false
}

// resourceFacts is what filters ask of resources.
type resourceFacts struct {
	name, kind, location, group string
	tags                        map[string]string
}

// matches says whether a resource satisfies every term. tagName and tagValue are about one tag.
func (f filter) matches(x resourceFacts) bool {
	if name, ok := f.equal("tagName"); ok {
		value, hasValue := f.equal("tagValue")
		found := false
		for k, v := range x.tags {
			found = found || strings.EqualFold(k, name) && (!hasValue || v == value)
		}
		if !found {
			return false
		}
	}
	for _, t := range f {
		if fact, known := x.fact(t.name); known && !t.matches(fact) {
			return false
		}
	}
	return true
}

func (x resourceFacts) fact(name string) (string, bool) {
	switch name {
	case "name":
		return x.name, true
	case "resourcetype":
		return x.kind, true
	case "location":
		return x.location, true
	case "resourcegroup":
		return x.group, true
	}
	return "", false
}

func (t term) matches(fact string) bool {
	fact, value := strings.ToLower(fact), strings.ToLower(t.value)
	switch t.method {
	case "startswith":
		return strings.HasPrefix(fact, value)
	case "substringof":
		return strings.Contains(fact, value)
	}
	return (fact == value) != t.not
}
