// Package chunk cuts guest bytes by content and finds the holes between them.
package chunk
