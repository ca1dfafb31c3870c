// Package replication is the loop of one region node: look at what is wanted here, compare, take one step.
package replication
