// Package scrub checks a repository against what the log says of it, and finds every object that is lost, damaged or orphaned.
package scrub
