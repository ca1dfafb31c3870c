package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"loggia/gallery"
)

// Kind is a kind of command. Kinds only grow; a retired one stays listed.
type Kind uint16

// Command is the body of one kind.
type Command interface {
	// Kind returns the kind whose body this is.
	Kind() Kind
	// Check refuses a body whose shape breaks a rule that needs no state. The proposer calls it
	// for a good message, the machine for the truth. Its errors are *gallery.Error.
	Check() error
}

// Header is what every command carries beside its body.
type Header struct {
	// RequestID makes a repeat within 24 h of state time return the first result (M2). Empty for the reports
	// of nodes, which are fenced by their claim's epoch instead.
	RequestID string
	Principal string    // who asked, for people and for the audit
	Time      time.Time // the proposer's clock; the state's time is the largest seen
	// Operation asks for a row that tells people how the write stands; nil: none.
	Operation *gallery.OperationStart
}

// operationsSince is the cluster version from which a header may ask for an operation.
const operationsSince = 2

// MaxRequestID and MaxPrincipal bound a header, in bytes.
const (
	MaxRequestID = 128
	MaxPrincipal = 256
)

// Envelope is one decoded entry of the log.
type Envelope struct {
	Header
	Kind    Kind
	Version uint16 // of the kind's body
	Body    Command
}

type envelope struct {
	Kind      Kind                    `cbor:"1,keyasint"`
	Version   uint16                  `cbor:"2,keyasint"`
	RequestID string                  `cbor:"3,keyasint,omitempty"`
	Principal string                  `cbor:"4,keyasint,omitempty"`
	Time      time.Time               `cbor:"5,keyasint"`
	Body      cbor.RawMessage         `cbor:"6,keyasint"`
	Operation *gallery.OperationStart `cbor:"7,keyasint,omitempty"`
}

// FatalError says that an entry of the log can't be applied by this binary: going on would let the
// state part from that of other nodes, so the process must stop (M4).
type FatalError struct {
	Index uint64 // of the entry; 0 where it is not known
	Err   error
}

func (e *FatalError) Error() string {
	return fmt.Sprintf("cannot apply the log's entry %d: %v", e.Index, e.Err)
}

// Unwrap returns the cause.
func (e *FatalError) Unwrap() error { return e.Err }

// Fatal is true: the process must stop.
func (e *FatalError) Fatal() bool { return true }

// ErrUnknownKind is returned for a kind, or a version of a kind, that this binary does not know.
var ErrUnknownKind = errors.New("unknown command kind")

var errHeader = errors.New("invalid command header")

// Encode writes one entry of the log. It refuses, with an *gallery.Error, a body that fails its Check, and
// whatever Decode would refuse: nothing undecodable is ever proposed.
func Encode(h Header, body Command) ([]byte, error) {
	d, ok := defs[body.Kind()]
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrUnknownKind, body.Kind())
	}
	if err := body.Check(); err != nil {
		return nil, err
	}
	if h.Operation != nil {
		if err := h.Operation.Validate(); err != nil {
			return nil, err
		}
	}
	raw, err := Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode body of %s: %w", d.Name, err)
	}
	out, err := Marshal(envelope{d.Kind, d.version(body), h.RequestID, h.Principal, h.Time.UTC(), raw, h.Operation})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", d.Name, err)
	}
	if len(out) > MaxSize {
		return nil, &gallery.Error{Kind: gallery.ErrLimit, Op: d.Name, Message: fmt.Sprintf("the command has %d bytes, at most %d are allowed", len(out), MaxSize)}
	}
	if _, err := Decode(out); err != nil {
		return nil, &gallery.Error{Kind: gallery.ErrInvalid, Op: d.Name, Message: "the command cannot be encoded", Err: err}
	}
	return out, nil
}

// Decode reads one entry of the log. Any error means that the entry can't be applied here.
// It does not Check the body: that is for the machine to answer.
func Decode(data []byte) (Envelope, error) {
	if len(data) > MaxSize {
		return Envelope{}, fmt.Errorf("%w: %d bytes, at most %d", errHeader, len(data), MaxSize)
	}
	var e envelope
	if err := Unmarshal(data, &e); err != nil {
		return Envelope{}, fmt.Errorf("decode command: %w", err)
	}
	d, ok := defs[e.Kind]
	if !ok || e.Version == 0 || e.Version > d.Version {
		return Envelope{}, fmt.Errorf("%w: %d, version %d", ErrUnknownKind, e.Kind, e.Version)
	}
	if err := e.check(); err != nil {
		return Envelope{}, err
	}
	body := d.body()
	if err := Unmarshal(e.Body, body); err != nil {
		return Envelope{}, fmt.Errorf("decode body of %s: %w", d.Name, err)
	}
	if v := d.version(body); e.Version != v {
		return Envelope{}, fmt.Errorf("%w: %s of version %d holds fields of version %d", errHeader, d.Name, e.Version, v)
	}
	return Envelope{Header{e.RequestID, e.Principal, e.Time.UTC(), e.Operation}, e.Kind, e.Version, body}, nil
}

// maxTime leaves room for deadlines after it: RFC 3339 ends with the year 9999.
var maxTime = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

func (e *envelope) check() error {
	switch {
	case len(e.RequestID) > MaxRequestID:
		return fmt.Errorf("%w: request id of %d bytes", errHeader, len(e.RequestID))
	case len(e.Principal) > MaxPrincipal:
		return fmt.Errorf("%w: principal of %d bytes", errHeader, len(e.Principal))
	case e.Time.Unix() < 0 || e.Time.After(maxTime):
		return fmt.Errorf("%w: time %s", errHeader, e.Time)
	}
	return nil
}
