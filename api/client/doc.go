// Package client speaks Loggia's own HTTP surface.
package client
