// Package gallery holds the words and rules of the domain: names, versions, regions, replicas, `latest`.
//
// Everything here is pure: values in, values and errors out, with no clock, store or network. The
// integer keys in the cbor tags are part of the format of the log and of snapshots: a key never
// changes its meaning, new fields take new keys and are omitted while empty.
package gallery
