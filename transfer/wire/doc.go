// Package wire is the stream of records in which frames, manifest nodes and lists of chunks travel
// between clients and nodes.
//
// The bytes are described in docs/formats/wire.md. A stream carries no proof: whoever reads it hashes
// what it is given.
package wire
