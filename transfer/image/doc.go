// Package image opens disk images as guest bytes, also those that are compressed as a whole.
package image
