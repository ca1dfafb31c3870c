// Package simnet is a network in memory for tests in virtual time: hosts with distance between them,
// links that are cut and healed, hosts that fall.
package simnet
