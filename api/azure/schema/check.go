package schema

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"loggia/api/azure/fault"
)

// CheckCreate says what a new resource lacks, and fills in the defaults. A default may depend on the api-version.
func CheckCreate(k Kind, v Version, t Tree) error {
	if location, _ := t["location"].(string); location == "" {
		return fault.At(fault.LocationRequired, "location", "The location property is required for this definition.")
	}
	d := &decoder{}
	if t["properties"] == nil {
		t["properties"] = Tree{}
	}
	complete(d, kinds[k], t, string(k))
	p, _ := t["properties"].(Tree)
	switch k {
	case Image:
		secured(v, p)
	case ImageVersion:
		oneSource(d, t)
		oneStorage(d, p, k)
	case ApplicationVersion:
		oneStorage(d, p, k)
	}
	if f := fault.Join(d.faults...); f != nil {
		return f
	}
	return nil
}

func complete(d *decoder, fields []field, t Tree, at string) {
	for i := range fields {
		f := &fields[i]
		v := t[f.name]
		where := at + "." + f.name
		switch {
		case v == nil && f.required:
			d.bad(fault.InvalidParameter, where, "The member is required.")
		case v == nil && f.def != nil:
			t[f.name] = f.def
		case f.shape == object && v != nil:
			if o, ok := v.(map[string]any); ok {
				complete(d, f.of, o, where)
			}
		}
	}
}

// securityDefaults is the api-version since which an image is of the second generation, and says that it can be launched trusted, unless a client
// says otherwise.
const securityDefaults Version = "2025-03-03"

// secured fills in what a new definition says of its generation and its security.
func secured(v Version, p Tree) {
	if p["hyperVGeneration"] == nil {
		p["hyperVGeneration"] = "V1"
		if v.Knows(securityDefaults) {
			p["hyperVGeneration"] = "V2"
		}
	}
	features, _ := p["features"].([]any)
	for _, x := range features {
		if f, _ := x.(map[string]any); strings.EqualFold(fmt.Sprint(f["name"]), "SecurityType") {
			return
		}
	}
	if v.Knows(securityDefaults) && p["hyperVGeneration"] == "V2" { // the first generation cannot be
		p["features"] = append(features, Tree{"name": "SecurityType", "value": "TrustedLaunchSupported"})
	}
}

// oneStorage: a type and a strategy of storage exclude each other.
func oneStorage(d *decoder, p Tree, k Kind) {
	profile, _ := p["publishingProfile"].(Tree)
	if profile["storageAccountType"] != nil && profile["storageAccountStrategy"] != nil {
		d.bad(fault.InvalidParameter, string(k)+".properties.publishingProfile.storageAccountStrategy", "Either storageAccountType or storageAccountStrategy is given, not both.")
	}
}

// oneSource holds the rule of a new version's sources: one for all disks, or one for each.
func oneSource(d *decoder, t Tree) {
	const at = "galleryImageVersion.properties.storageProfile"
	p, _ := t["properties"].(Tree)
	s, _ := p["storageProfile"].(Tree)
	if s == nil {
		d.bad(fault.InvalidParameter, at, "The member is required.")
		return
	}
	whole, _ := s["source"].(Tree)
	os, _ := s["osDiskImage"].(Tree)
	given := 0
	for range whole {
		given++
	}
	disks := 0
	if sourced(os) {
		disks++
	}
	data, _ := s["dataDiskImages"].([]any)
	for _, x := range data {
		if o, _ := x.(map[string]any); sourced(o) {
			disks++
		}
	}
	switch {
	case given > 1:
		d.bad(fault.InvalidParameter, at+".source", "Exactly one source is named, not %d.", given)
	case given == 1 && disks > 0:
		d.bad(fault.InvalidParameter, at, "Either the source of the whole version is named or those of its disks, not both.")
	case given == 0 && !sourced(os):
		d.bad(fault.InvalidParameter, at, "A source is required: of the whole version, or of the OS disk.")
	}
}

func sourced(disk Tree) bool {
	s, _ := disk["source"].(Tree)
	return len(s) > 0
}

// CheckUpdate says which immutable members differ between what there is and what it would become.
func CheckUpdate(k Kind, old, merged Tree) error {
	c := &comparison{updatable: k == Image && allows(old, merged)}
	c.members(kinds[k], old, merged, string(k))
	if f := fault.Join(c.faults...); f != nil {
		return f
	}
	return nil
}

// allows says whether an image definition lets its features change.
func allows(trees ...Tree) bool {
	for _, t := range trees {
		p, _ := t["properties"].(Tree)
		if on, _ := p["allowUpdateImage"].(bool); on {
			return true
		}
	}
	return false
}

type comparison struct {
	decoder
	updatable bool
}

func (c *comparison) members(fields []field, old, now Tree, at string) {
	for i := range fields {
		f := &fields[i]
		where := at + "." + f.name
		switch {
		case f.mode == readOnly:
		case f.name == "features" && c.updatable:
		case f.shape == object:
			o, _ := old[f.name].(map[string]any)
			n, _ := now[f.name].(map[string]any)
			c.members(f.of, o, n, where)
		case f.shape == list && f.key != "" && f.mode != immutable:
			c.elements(f, old[f.name], now[f.name], where)
		case f.mode == immutable && !equal(f, old[f.name], now[f.name]):
			if f.name == "location" {
				c.bad(fault.InvalidLocation, "location", "The resource already exists in location '%v'. A resource with the same name cannot be created in location '%v'.", old[f.name], now[f.name])
				continue
			}
			c.bad(fault.PropertyChangeNotAllowed, where, "Changing property '%s' is not allowed.", strings.TrimPrefix(where, at[:strings.IndexByte(at+".", '.')]+"."))
		}
	}
}

// elements compares what may not change of elements that stay; disks neither come nor go.
func (c *comparison) elements(f *field, old, now any, at string) {
	was, _ := old.([]any)
	is, _ := now.([]any)
	if f.name == "dataDiskImages" && len(was) != len(is) {
		c.bad(fault.PropertyChangeNotAllowed, at, "Changing property 'storageProfile.dataDiskImages' is not allowed: disks are neither added nor removed.")
		return
	}
	for i, x := range is {
		e, _ := x.(map[string]any)
		if before, ok := find(f, was, e).(map[string]any); ok {
			c.members(f.of, before, e, fmt.Sprintf("%s[%d]", at, i))
		} else if f.name == "dataDiskImages" {
			c.bad(fault.PropertyChangeNotAllowed, fmt.Sprintf("%s[%d]", at, i), "Changing property 'storageProfile.dataDiskImages' is not allowed: disks are neither added nor removed.")
		}
	}
}

func equal(f *field, a, b any) bool {
	if a == nil {
		a = f.def
	}
	if b == nil {
		b = f.def
	}
	if a == nil || b == nil {
		return a == b || a == "" || b == "" || isEmpty(a) && isEmpty(b)
	}
	switch f.shape {
	case date:
		x, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(a))
		y, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(b))
		return x.Equal(y)
	case number, large:
		return fmt.Sprint(a) == fmt.Sprint(b)
	case text:
		if f.name == "location" {
			return normal(a) == normal(b)
		}
		// Ids compare without case, and what follows a link's question mark is a signature that is renewed.
		return strings.EqualFold(unsigned(f.name, a), unsigned(f.name, b))
	}
	return reflect.DeepEqual(a, b)
}

func normal(v any) string { return strings.ToLower(strings.ReplaceAll(fmt.Sprint(v), " ", "")) }

func unsigned(name string, v any) string {
	s := fmt.Sprint(v)
	if name == "mediaLink" || name == "defaultConfigurationLink" {
		s, _, _ = strings.Cut(s, "?")
	}
	return s
}

func isEmpty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(x) == 0
	case []any:
		return len(x) == 0
	}
	return false
}
