package stores

import (
	"fmt"

	"loggia/blobstore"
	"loggia/blobstore/filesystem"
	"loggia/blobstore/s3"
	"loggia/node/config"
)

// dial opens a configured store without decorators.
func dial(c config.Store, sum blobstore.Checksum) (blobstore.Store, error) {
	if c.Kind == "filesystem" {
		return filesystem.Open(c.Path, filesystem.Options{})
	}
	o := s3.Options{
		Endpoint: c.S3.Endpoint, Bucket: c.S3.Bucket, Prefix: c.S3.Prefix, Region: c.S3.Region, PathStyle: s3.PathStyle(c.S3.Style),
		CAFile: c.S3.CAFile, Insecure: c.S3.Insecure, Checksum: sum,
		Credentials: s3.Credentials{AccessKey: c.S3.AccessKey, SecretKey: c.S3.SecretKey, AccessKeyEnv: c.S3.AccessKeyEnv,
			SecretKeyEnv: c.S3.SecretKeyEnv, File: c.S3.CredentialsFile},
	}
	s, err := s3.Open(o)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", c.Name, err)
	}
	return s, nil
}

// location says where a store is, for people, without secrets.
func location(c config.Store) string {
	if c.Kind == "filesystem" {
		return c.Path
	}
	return c.S3.Endpoint + "/" + c.S3.Bucket + "/" + c.S3.Prefix
}
