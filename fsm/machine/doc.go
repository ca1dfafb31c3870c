// Package machine applies the entries of the log to the state: the same entries give the same state on every node.
//
// Apply reads the entry, its index and term, and the state; it knows no clock, random source, file, network or
// goroutine (M5). See DESIGN.md one folder up.
package machine
