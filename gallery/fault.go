package gallery

import (
	"fmt"
	"strings"
)

// faults collects what breaks a rule, so that one error names all of it.
type faults struct {
	kind   Kind
	fields []string
	rules  []string
}

// add notes that field (a JSON path) breaks a rule.
func (f *faults) add(field, rule string, args ...any) {
	f.fields = append(f.fields, field)
	f.rules = append(f.rules, fmt.Sprintf(rule, args...))
}

// unless notes the fault when ok is false.
func (f *faults) unless(ok bool, field, rule string, args ...any) {
	if !ok {
		f.add(field, rule, args...)
	}
}

// err returns nil or one *Error of the kind (default ErrInvalid). With one fault the message is its rule; with more it
// lists them all as "field: rule", and Field is the first.
func (f *faults) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	e := &Error{Kind: ErrInvalid, Field: f.fields[0], Message: f.rules[0]}
	if f.kind != "" {
		e.Kind = f.kind
	}
	if len(f.fields) > 1 {
		all := make([]string, len(f.fields))
		for i := range all {
			all[i] = f.fields[i] + ": " + f.rules[i]
		}
		e.Message = strings.Join(all, "; ")
	}
	return e
}
