// Package blobstore keeps immutable objects by key in one store.
//
// The contract is Store; filesystem, s3 and memory implement it, retry, limit, metrics and
// reserve decorate it, compose puts them together, and storetest holds all of them to it.
package blobstore
