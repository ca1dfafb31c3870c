package main

import (
	"hash/maphash"
	"os"
)

// counter compares a disk with what it was the night before, block by block.
type counter struct {
	seed maphash.Seed
	last map[int64]uint64 // of the blocks that are not zero
}

func newCounter() *counter { return &counter{seed: maphash.MakeSeed()} }

// count returns how many blocks hold data, and how many of these differ from the last call.
func (c *counter) count(disk *os.File) (blocks, changed int64, err error) {
	now := map[int64]uint64{}
	err = eachBlock(disk, func(n int64, block []byte) {
		if zero(block) {
			return
		}
		sum := maphash.Bytes(c.seed, block)
		now[n] = sum
		blocks++
		if was, ok := c.last[n]; !ok || was != sum {
			changed++
		}
	})
	c.last = now
	return blocks, changed, err
}
