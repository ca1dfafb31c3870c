// Package checking checks the stores of this node's region, and has what is lost or damaged repaired.
package checking
