// Package frame writes and reads the unit of compression: some consecutive chunks with a header
// that says how to undo what was done to them.
//
// The bytes are described in docs/formats/frame.md.
package frame
