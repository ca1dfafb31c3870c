// Package data serves the bytes: uploads, and disks that are pulled.
package data
