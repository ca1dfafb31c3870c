// Package s3servers runs real S3 servers, versitygw and MinIO over TLS, as child processes.
package s3servers
