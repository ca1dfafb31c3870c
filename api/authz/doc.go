// Package authz holds the one table of what the native routes need, and starts no route that is not in it.
package authz
