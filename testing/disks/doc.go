// Package disks makes disk images for rigs, the same bytes for the same seed.
package disks
