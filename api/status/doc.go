// Package status serves health, metrics and the truth about every replica.
package status
