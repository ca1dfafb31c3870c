package node

import (
	"loggia/transfer/buffer"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
)

// memory is the node's budget for transfers, dealt out once: packs being filled, frames that arrive, and what
// is read from stores to be sent. They are three pools, and waiting goes one way only: who holds an arriving
// frame may wait for a pack, or for another node that reads; who reads waits for nobody.
type memory struct {
	packs, scratch, reads *buffer.Pool
	enc                   *codec.Encoder
	dec                   *codec.Decoder
}

// The shares in the budget, and the codecs' workers: more than cores do not help.
const (
	packShare    = 0.5
	readShare    = 0.3
	codecWorkers = 2

	// importBuffers is the memory of imports, in bytes, taken while one runs. It is no part of the pools that uploads use: who publishes waits
	// for who takes in, in this process as over the network.
	importBuffers = 32 << 20
)

func newMemory(budget int64) (*memory, error) {
	packs, reads := int64(float64(budget)*packShare), int64(float64(budget)*readShare)
	m := &memory{packs: buffer.New(packs), reads: buffer.New(reads), scratch: buffer.New(budget - packs - reads)}
	var err error
	if m.enc, err = codec.NewEncoder(codecWorkers, frame.MaxPlain); err != nil {
		return nil, err
	}
	m.dec, err = codec.NewDecoder(codecWorkers)
	return m, err
}
