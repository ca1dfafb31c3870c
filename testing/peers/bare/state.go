package bare

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"loggia/blobstore"
	"loggia/transfer/chunk"
	"loggia/transfer/repository"
)

// state is what a log would know.
type state struct {
	Epoch     uint64                             `json:"epoch"` // of the last writer
	Checksums map[string]blobstore.Checksum      `json:"checksums"`
	Live      map[string][]repository.SegmentRef `json:"live"` // by region, the newest first
	Disks     map[string]disk                    `json:"disks"`
	Base      disk                               `json:"base"` // the first that was copied to b
}

// disk is a published image.
type disk struct {
	Root, Table chunk.ID
	Size        int64
}

func stateFile(work string) string { return filepath.Join(work, "bare.json") }

// load reads the state; where there is none yet it is empty.
func load(work string) (*state, error) {
	s := &state{Checksums: map[string]blobstore.Checksum{}, Live: map[string][]repository.SegmentRef{}, Disks: map[string]disk{}}
	b, err := os.ReadFile(stateFile(work))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(b, s)
}

func (s *state) save(work string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(stateFile(work), b, 0o600)
}
