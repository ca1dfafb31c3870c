package intake

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// maxRecent is how many chunks may be in frames that no checkpoint has made durable: about 20 MiB
// of memory. Frames of tiny chunks reach it before they reach checkpointAt.
const maxRecent = 1 << 17

// keeper is the repository as this upload sees it: its own frames, and nothing else but nodes. The
// repository's Writer finds frames once they are durable, the keeper also before.
type keeper struct {
	repo *repository.Repository
	view *repository.View
	w    *repository.Writer // without a View: what it has is this upload's

	mu    sync.Mutex
	fresh map[chunk.ID]*manifest.Frame // of frames accepted since the last flush began
	aging map[chunk.ID]*manifest.Frame // of those before, until that flush has ended
}

func newKeeper(ctx context.Context, c Config) (*keeper, error) {
	w, err := c.Repository.NewWriter(ctx, repository.WriterOptions{Epoch: c.Epoch, Pool: c.Pool, InFlight: c.InFlight, Encoder: c.Encoder})
	if err != nil {
		return nil, err
	}
	return &keeper{repo: c.Repository, view: c.View, w: w, fresh: make(map[chunk.ID]*manifest.Frame)}, nil
}

// add keeps a frame that was checked; lane is its batch's.
func (k *keeper) add(ctx context.Context, lane uint64, stored []byte, id digest.Digest, plain uint32, refs []chunk.Ref) error {
	if err := k.w.Add(ctx, pack.Data, lane, stored, id, plain, refs); err != nil {
		return err
	}
	f := &manifest.Frame{ID: id, Stored: uint32(len(stored)), Chunks: append([]chunk.Ref(nil), refs...)}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ref := range refs {
		k.fresh[ref.ID] = f
	}
	return nil
}

// recent is the number of chunks that are held in memory.
func (k *keeper) recent() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.fresh) + len(k.aging)
}

// frame names a frame of this upload that holds the chunk.
func (k *keeper) frame(id chunk.ID) (manifest.Frame, bool, error) {
	if f := k.inMemory(id); f != nil {
		return *f, true, nil
	}
	var at index.Location
	// Not by Lookup: a checkpoint may close the segment before its chunks are asked for.
	err := k.w.LookupAll([]chunk.ID{id}, func(_ int, loc index.Location) error {
		at = loc
		return nil
	})
	if err != nil || at.Kind != pack.Data {
		return manifest.Frame{}, false, err
	}
	return frameAt(at)
}

func (k *keeper) inMemory(id chunk.ID) *manifest.Frame {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := k.fresh[id]; f != nil {
		return f
	}
	return k.aging[id]
}

func frameAt(loc index.Location) (manifest.Frame, bool, error) {
	refs, err := loc.Chunks()
	if err != nil {
		return manifest.Frame{}, false, fmt.Errorf("chunks of frame %s: %w", loc.FrameID.Short(), err)
	}
	return manifest.Frame{ID: loc.FrameID, Stored: loc.FrameStored, Chunks: refs}, true, nil
}

// owns says whether the chunk is in a frame of this upload.
func (k *keeper) owns(id chunk.ID) (bool, error) {
	if k.inMemory(id) != nil {
		return true, nil
	}
	loc, ok, err := k.w.Lookup(id)
	return ok && loc.Kind == pack.Data, err
}

// lacks returns those of refs that are neither in old nor in a frame of this upload. Chunks that lie together cost one lookup.
func (k *keeper) lacks(refs []chunk.Ref, old map[chunk.ID]bool) (map[chunk.ID]struct{}, error) {
	missing, there := make(map[chunk.ID]struct{}), make(map[chunk.ID]struct{})
	for _, ref := range refs {
		if _, ok := there[ref.ID]; ok || old[ref.ID] {
			continue
		}
		f, own, err := k.frame(ref.ID)
		if err != nil {
			return nil, err
		}
		if !own {
			missing[ref.ID] = struct{}{}
		}
		for _, c := range f.Chunks {
			there[c.ID] = struct{}{}
		}
	}
	return missing, nil
}

// addNode keeps a node, unless a live version has it: nodes are made or checked here, so that tells
// a client nothing.
func (k *keeper) addNode(ctx context.Context, id chunk.ID, node []byte) error {
	loc, ok, err := k.view.Lookup(id)
	if err != nil || ok && loc.Kind == pack.Nodes {
		return err
	}
	return k.w.PutNode(ctx, id, node)
}

// node reads a node that addNode kept, in this session or a predecessor.
func (k *keeper) node(ctx context.Context, id chunk.ID) ([]byte, error) {
	if own, err := k.w.Has(id); err != nil {
		return nil, err
	} else if own {
		return k.w.Node(ctx, id)
	}
	return k.view.Node(ctx, id)
}

// flush makes all that was accepted before the call durable, and lists it in a segment. After an error
// the Writer takes nothing more. There is one call at a time.
func (k *keeper) flush(ctx context.Context) error {
	k.mu.Lock()
	k.aging, k.fresh = k.fresh, make(map[chunk.ID]*manifest.Frame)
	k.mu.Unlock()
	if err := k.w.Flush(ctx); err != nil {
		return err
	}
	if _, err := k.w.Segment(ctx); err != nil {
		return err
	}
	k.mu.Lock()
	k.aging = nil
	k.mu.Unlock()
	return nil
}

// own calls fn with the chunks of this upload that are durable and in a segment.
func (k *keeper) own(ctx context.Context, fn func(chunk.ID) error) error {
	refs, err := k.w.Segment(ctx)
	if err != nil {
		return err
	}
	v, err := k.repo.Open(ctx, refs) // sees to it that the local files are there
	if err != nil {
		return err
	}
	defer v.Close()
	for _, ref := range refs {
		s, err := index.OpenFile(filepath.Join(k.repo.Cache, ref.ID.String()))
		if err != nil {
			return fmt.Errorf("open own segment: %w", err)
		}
		err = ownIn(s, fn)
		s.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func ownIn(s *index.Segment, fn func(chunk.ID) error) error {
	return s.Packs(func(p index.Pack, dir *pack.Directory) error {
		if p.Kind != pack.Data {
			return nil
		}
		for _, f := range dir.Frames {
			for _, ref := range f.Chunks {
				if err := fn(ref.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
