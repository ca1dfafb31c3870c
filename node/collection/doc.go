// Package collection has the repositories of this node's stores collected, one after the other.
package collection
