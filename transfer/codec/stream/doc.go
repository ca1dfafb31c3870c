// Package stream undoes the compression of whole files: xz, gzip and zstd.
package stream
