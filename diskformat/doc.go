// Package diskformat reads disk images (raw, qcow2, VHD, VHDX, VMDK) as sparse guest bytes.
package diskformat
