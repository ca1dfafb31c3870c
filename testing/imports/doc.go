// Package imports holds the shape of the code: which room may import which, and the rules that a
// compiler does not know.
package imports
