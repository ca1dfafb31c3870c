// Package ranged reads a range of an object by a link, and nothing else from nobody else.
package ranged
