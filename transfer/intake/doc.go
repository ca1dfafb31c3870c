// Package intake is the node's half of a publish: it takes batches in, checks every byte of them,
// and makes a replica that is complete when the log says so.
package intake
