// Package xz unpacks .xz files as a stream, in bounded memory.
package xz
