// Package publish is the client's half of a publish: it reads a disk, cuts it, and sends what the
// node does not hold.
package publish
