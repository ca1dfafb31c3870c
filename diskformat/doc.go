// Package diskformat reads disk images (raw, qcow2, VHD) as sparse guest bytes.
package diskformat
