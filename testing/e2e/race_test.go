//go:build race

package e2e

// buildFlags make the program under test watch for data races, too.
var buildFlags = []string{"-race"}
