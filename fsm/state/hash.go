package state

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"loggia/fsm/command"
	"loggia/internal/digest"
)

// sum is the sum of the hashes of all rows, in four lanes of 64 bits that wrap. Adding and taking
// away rows keeps it up to date, in whatever order they come.
type sum [4]uint64

func (s *sum) add(d digest.Digest) {
	for i := range s {
		s[i] += binary.BigEndian.Uint64(d[8*i:])
	}
}

func (s *sum) sub(d digest.Digest) {
	for i := range s {
		s[i] -= binary.BigEndian.Uint64(d[8*i:])
	}
}

// rowHash is the SHA-256 of the table's name, a zero byte and the row's encoding.
func rowHash(table string, row any) (digest.Digest, error) {
	b, err := command.Marshal(row)
	if err != nil {
		return digest.Digest{}, fmt.Errorf("encode row of %s: %w", table, err)
	}
	h := sha256.New()
	h.Write([]byte(table))
	h.Write([]byte{0})
	h.Write(b)
	return digest.Digest(h.Sum(nil)), nil
}

// digest condenses the sum with the state's time. The applied index is not in it: entries that are no commands move it unseen.
func (m *Meta) digest() digest.Digest {
	b := binary.BigEndian.AppendUint64(nil, uint64(m.Time.UnixNano()))
	for _, lane := range m.Sum {
		b = binary.BigEndian.AppendUint64(b, lane)
	}
	return digest.Of(b)
}
