// Package check serves the check of a region's stores, as a stream of lines.
package check
