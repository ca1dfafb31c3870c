// Package e2e shows that the whole product works: its tests run the real program, as processes,
// through its command line and its HTTP surface.
package e2e
