package scrub

import (
	"context"
	"errors"

	"loggia/transfer/chunk"
	"loggia/transfer/collect"
	"loggia/transfer/index"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
)

var errIncomplete = errors.New("the index lacks a chunk of the disk")

// Relies calls each for the packs that a view would read a disk from, some of them often. It says whether these are all: where a tree cannot
// be read whole, what lies below is not known. The error is one of the store.
func Relies(ctx context.Context, v *repository.View, d collect.Disk, each func(index.Pack)) (all bool, err error) {
	all = true
	look := func(id chunk.ID) (bool, error) {
		loc, ok, err := v.Lookup(id)
		if err == nil && ok {
			each(index.Pack{Kind: loc.Kind, Epoch: loc.Epoch, ID: loc.Pack, Size: loc.PackSize})
		}
		all = all && ok
		return ok, err
	}
	visit := manifest.Visitor{Enter: look, Leaf: func(l *manifest.Leaf) error {
		for _, e := range l.Entries {
			if !e.Hole() {
				if _, err := look(e.ID); err != nil {
					return err
				}
			}
		}
		return nil
	}, Fault: func(err error) error {
		if ctx.Err() == nil && absent(err) {
			all = false
			return nil
		}
		return err
	}}
	root, err := manifest.Reach(ctx, v, d.Root, visit)
	if err == nil && !d.Table.IsZero() {
		err = manifest.ReachTable(ctx, v, root, d.Table, visit)
	}
	if err != nil {
		err = visit.Fault(err)
	}
	return all, err
}

// Whole says whether a view knows everything that a disk needs; why not is the second result. The third is an error of the store.
func Whole(ctx context.Context, v *repository.View, d collect.Disk) (bool, string, error) {
	look := func(id chunk.ID) (bool, error) {
		ok, err := v.Has(id)
		if err == nil && !ok {
			err = errIncomplete
		}
		return ok, err
	}
	visit := manifest.Visitor{Enter: look, Leaf: func(l *manifest.Leaf) error {
		for _, e := range l.Entries {
			if !e.Hole() {
				if _, err := look(e.ID); err != nil {
					return err
				}
			}
		}
		return nil
	}}
	root, err := manifest.Reach(ctx, v, d.Root, visit)
	if err == nil && !d.Table.IsZero() {
		err = manifest.ReachTable(ctx, v, root, d.Table, visit)
	}
	switch {
	case err == nil:
		return true, "", nil
	case ctx.Err() == nil && (errors.Is(err, errIncomplete) || absent(err)):
		return false, err.Error(), nil
	}
	return false, "", err
}
