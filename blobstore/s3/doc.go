// Package s3 keeps objects in one bucket of an S3 service.
//
// It is the only importer of minio-go, whose traps it closes: no multipart (every object is one
// PUT of known size), no silent retries (package retry does that), no body read after Put has
// returned, no error document taken for an answer, no short body taken for an object.
package s3
