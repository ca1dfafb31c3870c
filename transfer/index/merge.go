package index

import (
	"loggia/internal/digest"
	"loggia/transfer/pack"
)

// Merge adds the packs of several segments to w, each pack once; keep, where it is not nil, says
// which. It holds 48 bytes for each pack.
func Merge(w *Writer, keep func(Pack) bool, segments ...*Segment) error {
	type place struct {
		epoch uint64
		id    digest.Digest
	}
	seen := make(map[place]struct{})
	for _, s := range segments {
		err := s.Packs(func(p Pack, dir *pack.Directory) error {
			at := place{p.Epoch, p.ID}
			if _, twice := seen[at]; twice || keep != nil && !keep(p) {
				return nil
			}
			seen[at] = struct{}{}
			return w.Add(p, dir)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
