// Package pull writes a disk out as a sparse file and verifies every byte of it.
package pull
