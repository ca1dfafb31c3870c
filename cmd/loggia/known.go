package main

import (
	"context"
	"path/filepath"

	"loggia/diskformat"
	"loggia/transfer/chunk"
	"loggia/transfer/known"
	"loggia/transfer/pull"
)

// knownDisks is where the manifests of local images are kept, or "" where there is no place for them.
func knownDisks() known.Folder {
	dir, err := folder("XDG_CACHE_HOME", ".cache")
	if err != nil {
		return ""
	}
	return known.Folder(filepath.Join(dir, "disks"))
}

// remember keeps the manifest of a local image as it is now. It is a help for later: what goes wrong with it is of no matter.
func remember(ctx context.Context, r *known.Recorder, s diskformat.Stamp, root chunk.ID) {
	if dir := knownDisks(); dir != "" && s.Size > 0 { // nobody can say of a device whether it was changed
		_ = r.Keep(ctx, dir, s, root)
	}
}

// rememberFile is remember for a file that was just written.
func rememberFile(ctx context.Context, r *known.Recorder, path string, root chunk.ID) {
	if g, err := diskformat.Watch(path); err == nil {
		remember(ctx, r, g.Stamp(), root)
	}
}

// knownChunks says what a local image is known to hold; nil: nothing.
func knownChunks(s diskformat.Stamp) pull.KnownChunks {
	dir := knownDisks()
	if dir == "" || s.Size == 0 {
		return nil
	}
	m, err := dir.Open(s)
	if err != nil {
		return nil
	}
	return m
}
