// Package debug is the door for profiles of a running node: closed unless an operator opens it, and never open to a network.
package debug
