// Package manage serves galleries, images, versions, regions, members and tokens in Loggia's own JSON.
package manage
