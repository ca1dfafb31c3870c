// Package turns has the repositories of a region's stores seen to when it is due, each by one node at a time.
package turns
