package command

import "github.com/fxamacker/cbor/v2"

// Bounds of what a decoder takes. A command is at most MaxSize bytes, so no length in it can be larger.
const (
	// MaxSize bounds an encoded command, in bytes (M8).
	MaxSize = 32 << 10
	// MaxResult bounds an encoded result, in bytes.
	MaxResult   = 64 << 10
	maxElements = 16 << 10
	maxNesting  = 16
)

// encMode writes core-deterministic CBOR (RFC 8949, 4.2.1); times as RFC 3339 text in UTC.
var encMode = must(func() (cbor.EncMode, error) {
	o := cbor.CoreDetEncOptions()
	o.Time = cbor.TimeRFC3339NanoUTC
	return o.EncMode()
}())

// decMode refuses what encMode never writes: repeated keys, fields that nobody knows (M4), indefinite
// lengths, tags, invalid UTF-8.
var decMode = must(cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	MaxArrayElements:  maxElements,
	MaxMapPairs:       maxElements,
	MaxNestedLevels:   maxNesting,
}.DecMode())

// Marshal writes a value of the state or the log in the one deterministic encoding.
func Marshal(v any) ([]byte, error) { return encMode.Marshal(v) }

// Unmarshal reads what Marshal writes, and nothing else.
func Unmarshal(b []byte, v any) error { return decMode.Unmarshal(b, v) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // options are constants; a test constructs them
	}
	return v
}
