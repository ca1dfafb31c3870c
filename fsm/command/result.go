package command

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"loggia/gallery"
)

// Result is what applying one entry gave. A business failure is Err; the entry is applied all the same.
type Result struct {
	Kind     Kind
	Index    uint64         // of the entry; of the first one where this is a repeat
	Repeated bool           // the request id was seen before, and this is its first result
	Value    any            // a pointer to the kind's result type, or nil; not to be changed
	Err      *gallery.Error // nil: it took effect
}

// Failure returns Err as an error, nil where there is none.
func (r *Result) Failure() error {
	if r.Err == nil {
		return nil
	}
	return r.Err
}

type result struct {
	Kind     Kind            `cbor:"1,keyasint"`
	Index    uint64          `cbor:"2,keyasint"`
	Repeated bool            `cbor:"3,keyasint,omitempty"`
	Value    cbor.RawMessage `cbor:"4,keyasint,omitempty"`
	Err      *gallery.Error  `cbor:"5,keyasint,omitempty"`
}

var errResult = errors.New("invalid result")

// EncodeResult writes a result for another node or for the state.
func EncodeResult(r Result) ([]byte, error) {
	w := result{Kind: r.Kind, Index: r.Index, Repeated: r.Repeated, Err: r.Err}
	if r.Value != nil {
		raw, err := Marshal(r.Value)
		if err != nil {
			return nil, fmt.Errorf("encode result of %s: %w", r.Kind, err)
		}
		w.Value = raw
	}
	out, err := Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode result of %s: %w", r.Kind, err)
	}
	return out, nil
}

// DecodeResult reads what EncodeResult writes. Value is a pointer to the type that the kind's body documents.
func DecodeResult(b []byte) (Result, error) {
	if len(b) > MaxResult {
		return Result{}, fmt.Errorf("%w: %d bytes, at most %d", errResult, len(b), MaxResult)
	}
	var w result
	if err := Unmarshal(b, &w); err != nil {
		return Result{}, fmt.Errorf("decode result: %w", err)
	}
	r := Result{Kind: w.Kind, Index: w.Index, Repeated: w.Repeated, Err: w.Err}
	if len(w.Value) == 0 {
		return r, nil
	}
	d, ok := defs[w.Kind]
	if !ok || d.result == nil {
		return Result{}, fmt.Errorf("%w: kind %d has no value", errResult, w.Kind)
	}
	r.Value = d.result()
	if err := Unmarshal(w.Value, r.Value); err != nil {
		return Result{}, fmt.Errorf("decode result of %s: %w", d.Name, err)
	}
	return r, nil
}
