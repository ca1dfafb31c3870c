// Package uploads holds the publishes that this node takes in: a session for each, under its claim.
package uploads
