// Package manifest describes a disk as a Merkle tree of its chunks, and the frames that hold them as a
// second tree of the same shape.
//
// The bytes are described in docs/formats/manifest.md. A tree is read through a Getter, every node held
// against its digest and its place, in memory that does not grow with the disk.
package manifest
