package main

import (
	"fmt"
	"os"
	"path/filepath"

	"loggia/testing/disks"
)

// solidSize is the file that a sparse disk of the same data is compared with.
const solidSize = 1 << 30

// image is the file of an image.
func (b *bench) image(name string) string {
	if name == "solid" || b.small {
		return filepath.Join(b.dir, name+".raw")
	}
	return filepath.Join(b.Images, name+".raw")
}

// prepareImages makes what is made for the run alone, and sees that the others are there.
func (b *bench) prepareImages() error {
	if b.small {
		return b.smallImages()
	}
	for _, j := range b.jobs {
		if j.image == "solid" {
			continue
		}
		if _, err := os.Stat(b.image(j.image)); err != nil {
			return fmt.Errorf("image %s: %w (make bench-peers builds it)", j.image, err)
		}
	}
	return disks.Random(b.image("solid"), solidSize, 4)
}

// smallImages stand for the real ones where only the rig is tried: v2 and v2b share most of v1.
func (b *bench) smallImages() error {
	const size = 48 << 20
	disk := func(name string, size int64, extents []disks.Extent, seed uint64) error {
		return disks.Spread(b.image(name), size, extents, seed)
	}
	for _, err := range []error{
		disk("v1", size, disks.Evenly(size, size/3, 4), 1),
		disk("v2", size, disks.Evenly(size, size/3, 4), 1),
		disk("v2b", size, disks.Evenly(size, size/3, 4), 1),
		disk("rand", 16<<20, disks.Evenly(16<<20, 16<<20, 1), 2),
		disk("sparse", 320<<20, disks.Evenly(320<<20, 16<<20, 64), 3),
		disk("solid", 16<<20, disks.Evenly(16<<20, 16<<20, 1), 4),
		disks.Overwrite(b.image("v2"), disks.Extent{Offset: 1 << 20, Length: 2 << 20}, 5),
		disks.Overwrite(b.image("v2b"), disks.Extent{Offset: 1 << 20, Length: 1 << 18}, 6),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
