package command

// Precondition is checked in apply, before anything changes. The zero value asks for nothing.
type Precondition struct {
	ETag   uint64 `cbor:"1,keyasint,omitempty"` // If-Match: the resource exists with this etag
	Exists bool   `cbor:"2,keyasint,omitempty"` // If-Match: *
	Absent bool   `cbor:"3,keyasint,omitempty"` // If-None-Match: *
}
