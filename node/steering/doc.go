// Package steering holds what this node sends to other regions, and takes in from them, below the limits of the state.
package steering
