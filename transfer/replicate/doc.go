// Package replicate copies one disk into a repository, only what it lacks, from places that hold it.
package replicate
