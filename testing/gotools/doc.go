// Package gotools builds programs that rigs need from the Go module proxy, once, into a folder for tools.
package gotools
