package machine

import (
	"loggia/fsm/state"
	"loggia/internal/digest"
)

// HashInterval is the number of entries between two hashes that nodes compare (M3).
const HashInterval = 1000

// keptHashes is how many of them are remembered: a node that lags by more finds none to compare.
const keptHashes = 64

type hashPoint struct {
	index uint64
	hash  digest.Digest
}

// hashes is a ring of the hashes at multiples of HashInterval. Entries that are no commands never reach the machine, so the hash at a
// multiple is that of the last command at or before it.
type hashes struct {
	ring [keptHashes]hashPoint
	next int
}

// passed notes the multiples between two states; of several, the last one is enough.
func (h *hashes) passed(before, after *state.View) {
	if last := (after.Index() - 1) / HashInterval * HashInterval; last > before.Index() {
		h.put(last, before.Hash())
	}
	if after.Index()%HashInterval == 0 {
		h.put(after.Index(), after.Hash())
	}
}

func (h *hashes) put(index uint64, hash digest.Digest) {
	h.ring[h.next] = hashPoint{index, hash}
	h.next = (h.next + 1) % keptHashes
}

func (h *hashes) at(index uint64) (digest.Digest, bool) {
	for _, p := range h.ring {
		if p.index == index && index != 0 {
			return p.hash, true
		}
	}
	return digest.Digest{}, false
}

func (h *hashes) latest() (uint64, digest.Digest, bool) {
	p := h.ring[(h.next+keptHashes-1)%keptHashes]
	return p.index, p.hash, p.index != 0
}
