// Package serve is what the holder of a disk does for whoever asks for chunks and trees of it.
package serve
