package pull

import (
	"errors"
	"fmt"
	"syscall"

	"loggia/transfer/manifest"
)

// blockSize is what places in the file and in memory are multiples of where bytes go past the page cache: no disk's blocks
// are larger.
const blockSize = 4 << 10

// writeBlocks writes whole blocks from memory that begins at a multiple of their size.
func (o *output) writeBlocks(b []byte, off int64) error {
	if f := o.uncached.Load(); f != nil {
		o.past.RLock()
		_, err := f.WriteAt(b, off)
		o.past.RUnlock()
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EOPNOTSUPP) {
			if err != nil {
				return fmt.Errorf("output: %w", err)
			}
			return nil
		}
		o.uncached.Store(nil) // opened so, and written otherwise: some file systems are like that
	}
	return o.store(b, off)
}

// allowUncached opens the output once more for writes past the page cache. What was written so costs no processor time for pages that
// nobody reads soon, and is on the disk already at the end. Only a new file is written so: reading what lies in one brings pages
// of it into the cache, and pages that change beside such writes are an error to the kernel.
func (o *output) allowUncached() {
	if o.used || o.name == "" {
		return
	}
	f, err := openUncached(o.file)
	if err != nil {
		return // a file system that has no such thing, or no /proc
	}
	o.uncached.Store(f)
	o.reopened = f
}

// allocate makes room for what a leaf holds, where that makes writing faster.
func (o *output) allocate(at int64, leaf *manifest.Leaf) {
	if o.uncached.Load() == nil || o.layout != nil {
		return
	}
	from := at
	for _, e := range leaf.Entries {
		if e.Hole() {
			if at > from {
				allocate(o.file, from, at-from)
			}
			from = at + int64(e.Length)
		}
		at += int64(e.Length)
	}
	if at > from {
		allocate(o.file, from, at-from)
	}
}
