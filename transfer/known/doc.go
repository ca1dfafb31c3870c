// Package known keeps the manifests of local disk images that were cut or written once, so that a later pull finds what they
// hold without cutting them again.
//
// It is a cache: a file that was changed is another file, what is kept is limited, and whatever is read out of an image by it is
// hashed. A kept manifest is the line "loggia known 1\n", then records of a node's id (32 bytes), its length (u32, little-endian)
// and its bytes, in any order, then a record of length 0 whose id is the root's.
package known
