package command

import (
	"reflect"
	"slices"
	"strconv"
	"sync"
)

// A field that a body gained after its kind was released carries `since:"N"`: from cluster version N on it may be written.
// Such fields are omitted while empty, so the bytes of a body that uses none are those of the first version.
const sinceTag = "since"

// growth returns the cluster versions at which the body type of a kind grew, ascending. Version v of the body (from 2) may
// hold what came with growth[v-2] and before.
func growth(t reflect.Type) []uint32 {
	found := map[uint32]bool{}
	grown(t, found, map[reflect.Type]bool{})
	out := make([]uint32, 0, len(found))
	for n := range found {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func grown(t reflect.Type, found map[uint32]bool, seen map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		grown(t.Elem(), found, seen)
	case reflect.Struct:
		if seen[t] {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			if n := since(t.Field(i)); n > 0 {
				found[n] = true
			}
			grown(t.Field(i).Type, found, seen)
		}
	}
}

func since(f reflect.StructField) uint32 {
	text, ok := f.Tag.Lookup(sinceTag)
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		panic("the since tag of " + f.Name + " is no number") // tags are constants; a test walks them
	}
	return uint32(n)
}

// used returns the largest since of the fields in use under v.
func used(v reflect.Value) uint32 {
	var most uint32
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return used(v.Elem())
		}
	case reflect.Slice:
		if !grows(v.Type().Elem()) {
			return 0
		}
		for i := range v.Len() {
			most = max(most, used(v.Index(i)))
		}
	case reflect.Struct:
		if !grows(v.Type()) {
			return 0
		}
		for i := range v.NumField() {
			f := v.Field(i)
			if n := since(v.Type().Field(i)); n > most && !f.IsZero() {
				most = n
			}
			most = max(most, used(f))
		}
	}
	return most
}

var growing sync.Map // reflect.Type -> bool: whether something under it has a since tag

func grows(t reflect.Type) bool {
	if known, ok := growing.Load(t); ok {
		return known.(bool)
	}
	is := len(growth(t)) > 0
	growing.Store(t, is)
	return is
}

// version returns the version of the kind's body that c needs.
func (d *Def) version(c Command) uint16 {
	if len(d.grew) == 0 {
		return 1
	}
	n := used(reflect.ValueOf(c))
	for i, g := range d.grew {
		if n <= g && n > 0 {
			return uint16(i + 2)
		}
	}
	return 1
}

// Needs returns the cluster version from which a command may be proposed: that of its kind, of its header and of the fields
// it uses.
func Needs(h Header, c Command) uint32 {
	d, ok := defs[c.Kind()]
	if !ok {
		return ^uint32(0)
	}
	n := max(d.Since, used(reflect.ValueOf(c)))
	if h.Operation != nil {
		n = max(n, operationsSince)
	}
	return n
}
