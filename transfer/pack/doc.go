// Package pack lays frames back to back in one object that ends in its own directory.
//
// The bytes are described in docs/formats/pack.md.
package pack
