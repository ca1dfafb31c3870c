// Package state keeps the replicated state as immutable rows in tables, with snapshots, watches and a running hash.
//
// Rows are pointers to the types of package gallery. A row that is in the state is never changed: writers put a new
// one, and what a reader gets is not the reader's to change.
package state
