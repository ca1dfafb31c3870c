// Package consensus keeps one replicated log and applies it to a machine.
package consensus
