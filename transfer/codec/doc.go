// Package codec compresses frames and undoes it within limits. It is the only importer of a
// compression library.
package codec
