package machine

import (
	"errors"
	"fmt"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// apply writes one entry. Its error is fatal; a business failure is in the result, and has changed nothing but
// the memory of requests.
func apply(st *state.State, index, term uint64, e command.Envelope) (command.Result, error) {
	tx := st.Begin(index, term, e.Time)
	if r, seen, err := repeated(tx, e); seen || err != nil {
		return r, commit(tx, err)
	}
	r := command.Result{Kind: e.Kind, Index: index}
	if value, err := run(tx, e); err != nil {
		tx.Abort()
		tx = st.Begin(index, term, e.Time)
		r.Err = failure(e.Kind, err)
	} else {
		r.Value = value
	}
	return r, commit(tx, remember(tx, e, r))
}

func commit(tx *state.Tx, err error) error {
	if err != nil {
		tx.Abort()
		return err
	}
	return tx.Commit()
}

// run calls the handler of the kind.
func run(tx *state.Tx, e command.Envelope) (any, error) {
	h, ok := handlers[e.Kind]
	if !ok {
		return nil, fmt.Errorf("%w: %d has no handler", command.ErrUnknownKind, e.Kind)
	}
	if e.RequestID != "" && tx.Meta().Requests >= MaxRequests {
		return nil, &gallery.Error{Kind: gallery.ErrLimit, Message: "too many requests within 24 h"}
	}
	if err := e.Body.Check(); err != nil {
		return nil, err
	}
	at := &entry{Tx: tx, Header: e.Header}
	if err := at.begin(); err != nil {
		return nil, err
	}
	value, err := h(at, e.Body)
	if err != nil {
		return nil, err
	}
	at.keep()
	return value, nil
}

// failure turns a handler's error into one that survives the log.
func failure(kind command.Kind, err error) *gallery.Error {
	var e *gallery.Error
	if !errors.As(err, &e) {
		return &gallery.Error{Kind: gallery.ErrInternal, Op: kind.String(), Message: err.Error()}
	}
	out := *e
	out.Err = nil
	if out.Op == "" {
		out.Op = kind.String()
	}
	return &out
}

// repeated returns the first result of a request id that is remembered.
func repeated(tx *state.Tx, e command.Envelope) (command.Result, bool, error) {
	if e.RequestID == "" {
		return command.Result{}, false, nil
	}
	q := tx.Request(e.RequestID)
	if q == nil || tx.Now().Sub(q.Time) > RequestLife {
		return command.Result{}, false, nil
	}
	if q.Kind != uint16(e.Kind) {
		return command.Result{Kind: e.Kind, Index: tx.Index(), Err: &gallery.Error{Kind: gallery.ErrConflict, Op: e.Kind.String(),
			Message: "the request id was used for another command"}}, true, nil
	}
	r, err := command.DecodeResult(q.Result)
	if err != nil {
		return command.Result{}, false, fmt.Errorf("remembered result of %s: %w", e.Kind, err)
	}
	r.Repeated = true
	return r, true, nil
}

// remember keeps the result under the request id.
func remember(tx *state.Tx, e command.Envelope, r command.Result) error {
	if e.RequestID == "" {
		return nil
	}
	b, err := command.EncodeResult(r)
	if err != nil {
		return err
	}
	if len(b) > command.MaxResult {
		return fmt.Errorf("result of %s has %d bytes, at most %d", e.Kind, len(b), command.MaxResult)
	}
	state.Put(tx, &state.Request{ID: e.RequestID, Index: tx.Index(), Kind: uint16(e.Kind), Time: tx.Now(), Result: b})
	return nil
}
