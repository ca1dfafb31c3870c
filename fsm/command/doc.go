// Package command defines what can be written to the log: the kinds, their bodies, their results and their bytes.
package command
