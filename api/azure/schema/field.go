package schema

// Tree is a JSON object.
type Tree = map[string]any

// Kind is a kind of resource of the wire.
type Kind string

// The kinds. The text is how messages name the body.
const (
	ResourceGroup      Kind = "resourceGroup"
	Gallery            Kind = "gallery"
	Image              Kind = "galleryImage"
	ImageVersion       Kind = "galleryImageVersion"
	Application        Kind = "galleryApplication"
	ApplicationVersion Kind = "galleryApplicationVersion"
	Snapshot           Kind = "snapshot"
)

type shape uint8

// The shapes of values.
const (
	text     shape = iota
	flag           // true, false
	number         // a whole number of 32 bits
	large          // a whole number of 64 bits
	date           // RFC 3339 in UTC
	choice         // one of some texts, in any case
	object         // members
	list           // objects
	texts          // texts
	dict           // names with texts
	anything       // JSON as it comes
)

type mode uint8

// The modes of fields.
const (
	updatable mode = iota
	immutable      // after creation
	readOnly       // what a client sends is passed over
)

// field is one line of the table.
type field struct {
	name     string
	shape    shape
	mode     mode
	since    Version
	required bool     // when the resource is created
	sticky   bool     // absent in a PUT: kept
	max      int      // bytes of a text, elements of a list, the largest number; 0: the shape's own bound
	min      int      // the smallest number
	values   []string // of a choice, in canonical case
	of       []field  // members, or those of each element
	key      string   // of a list: the member that tells elements apart
	alias    string   // another name on input
	def      any      // shown and stored where nothing was given; nil: none
	note     string   // for the page: how it differs; "not yet" where it has no effect here
}

func make1(name string, s shape) field { return field{name: name, shape: s, since: first} }

// first is the api-version of the first galleries: fields that every client knows.
const first Version = "2018-06-01"

func txt(name string) field     { return make1(name, text) }
func boolean(name string) field { return make1(name, flag) }
func integer(name string, min, max int) field {
	f := make1(name, number)
	f.min, f.max = min, max
	return f
}
func long(name string) field { return make1(name, large) }
func day(name string) field  { return make1(name, date) }
func oneOf(name string, values ...string) field {
	f := make1(name, choice)
	f.values = values
	return f
}
func members(name string, of ...field) field { f := make1(name, object); f.of = of; return f }
func stringMap(name string) field            { return make1(name, dict) }
func strs(name string, max int) field        { f := make1(name, texts); f.max = max; return f }
func opaque(name string) field               { return make1(name, anything) }
func elements(name, key string, max int, of ...field) field {
	f := make1(name, list)
	f.key, f.max, f.of = key, max, of
	return f
}

func (f field) from(v Version) field   { f.since = v; return f }
func (f field) fixed() field           { f.mode = immutable; return f }
func (f field) shown() field           { f.mode = readOnly; return f }
func (f field) needed() field          { f.required = true; return f }
func (f field) kept() field            { f.sticky = true; return f }
func (f field) upTo(n int) field       { f.max = n; return f }
func (f field) or(v any) field         { f.def = v; return f }
func (f field) also(name string) field { f.alias = name; return f }
func (f field) but(note string) field  { f.note = note; return f }

const notYet = "not yet"

// echoed is what is stored and answered, and has no effect here yet.
func (f field) echoed() field { return f.but(notYet + ": stored and answered") }
