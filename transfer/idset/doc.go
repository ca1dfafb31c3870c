// Package idset holds a map from chunk ids to numbers that may be larger than memory.
package idset
