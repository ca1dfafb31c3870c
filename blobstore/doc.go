// Package blobstore keeps objects by key in one store: a directory or a bucket.
package blobstore
