package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"loggia/api/v1"
	"loggia/diskformat"
	"loggia/internal/digest"
	"loggia/transfer/codec"
	"loggia/transfer/pull"
)

// outputFlags says how a disk is written down.
type outputFlags struct {
	format   string
	compress bool
}

func (o *outputFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.format, "format", string(diskformat.OutputRaw), "raw, qcow2, vhd (fixed, as Azure takes it) or vhd-dynamic")
	cmd.Flags().BoolVar(&o.compress, "compress", false, "compress the clusters of a qcow2 (zstd, for QEMU 5.1 and later)")
}

// check refuses what does not go together, before anything is asked for.
func (o *outputFlags) check(out string) error {
	switch f := diskformat.Output(o.format); f {
	case diskformat.OutputRaw, diskformat.OutputQCOW2, diskformat.OutputVHD, diskformat.OutputVHDDynamic:
		if o.compress && f != diskformat.OutputQCOW2 {
			return usageError{fmt.Errorf("--compress: must go with --format qcow2, not with %s", f)}
		}
		if st, err := os.Stat(out); err == nil && st.Mode()&fs.ModeDevice != 0 && f != diskformat.OutputRaw {
			return usageError{fmt.Errorf("--format %s: must be raw for the device %s", f, out)}
		}
		return nil
	}
	return usageError{fmt.Errorf("--format %q: must be raw, qcow2, vhd or vhd-dynamic", o.format)}
}

// apply says to a pull how the disk of a version is written.
func (o *outputFlags) apply(opts *pull.Options, v v1.Version, root digest.Digest) {
	switch f := diskformat.Output(o.format); {
	case f == diskformat.OutputRaw:
	case o.compress:
		opts.Repack = packQCOW2
	default:
		opts.Layout = func(size int64) (diskformat.Layout, error) {
			return diskformat.NewLayout(f, size, [16]byte(root[:16]), v.Published)
		}
	}
}

// packQCOW2 writes the raw disk at a path as a compressed qcow2.
func packQCOW2(ctx context.Context, from string, to *os.File) error {
	disk, err := diskformat.OpenBlob(from)
	if err != nil {
		return err
	}
	defer disk.Close()
	workers := min(runtime.GOMAXPROCS(0), 8)
	enc, err := codec.NewEncoder(workers, 64<<10)
	if err != nil {
		return err
	}
	size, err := diskformat.PackQCOW2(ctx, to, disk, enc, workers)
	if err == nil {
		err = to.Truncate(size)
	}
	return errors.Join(err, enc.Close())
}
