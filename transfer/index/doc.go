// Package index finds the frame that holds a chunk, in immutable sorted segments read by pread.
//
// The bytes are described in docs/formats/index.md.
package index
