package repository

import (
	"cmp"
	"context"
	"slices"

	"loggia/internal/digest"
	"loggia/transfer/index"
)

// tidyAt is how many small segments are worth making one.
const tidyAt = 4

// Tidy keeps the live segments few: every publish and every copy adds one, and each costs every lookup a
// read. Of the live segments that the Writer's view knows, those that are not much larger than
// the Writer's own are merged with them (so that each byte is merged a logarithmic number of times).
// It returns what the log is told instead of own: segments to add, and live ones that those
// supersede. Replaced objects stay on the store until the collector comes. Call it after Finish.
func (w *Writer) Tidy(ctx context.Context, own []SegmentRef) (add []SegmentRef, remove []digest.Digest, err error) {
	if w.opts.View == nil {
		return own, nil, nil
	}
	picked := pick(own, w.opts.View.refs)
	if len(picked)+len(own) < tidyAt {
		return own, nil, nil
	}
	w.indexing.Lock()
	defer w.indexing.Unlock()
	w.mu.Lock()
	var all []*index.Segment
	for _, s := range w.uploaded {
		all = append(all, s.open)
	}
	w.mu.Unlock()
	for _, i := range picked {
		all = append(all, w.opts.View.segments[i])
		remove = append(remove, w.opts.View.refs[i].ID)
	}
	iw := index.NewWriter(w.repo.Cache, 0)
	defer iw.Abort()
	if err := index.Merge(iw, nil, all...); err != nil {
		return nil, nil, err
	}
	files, err := iw.Finish()
	if err != nil {
		return nil, nil, err
	}
	add, err = w.uploadFiles(ctx, files)
	return add, remove, err
}

// pick returns which live segments to merge with own: from the smallest on, while each is at most twice
// what has been gathered.
func pick(own, live []SegmentRef) []int {
	var sum int64
	for _, s := range own {
		sum += s.Size
	}
	order := make([]int, len(live))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(live[a].Size, live[b].Size), live[a].ID.Compare(live[b].ID))
	})
	var picked []int
	for _, i := range order {
		if live[i].Size > 2*sum || live[i].Size >= index.DefaultSegment/2 {
			break
		}
		picked = append(picked, i)
		sum += live[i].Size
	}
	return picked
}
