package intake

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/idset"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
)

// The distances between checkpoints, in stored bytes accepted since the last one. What a crash loses
// is less than checkpointBefore and what is on its way: 40 MiB and three batches of at most 8 MiB
// are the 64 MiB that we promise.
const (
	checkpointAt     = 20 << 20 // a batch that reaches this makes a checkpoint, unless another one does; the others go on meanwhile
	checkpointBefore = 40 << 20 // nothing is accepted beyond this before there is one

	// maxParallel bounds the batches in work at once; more wait.
	maxParallel = 16

	// DefaultScratch is the memory for batches in work, in bytes, where the Config has no pool for it.
	DefaultScratch = 16 << 20
)

// Config says what is taken in and where to.
type Config struct {
	Repository *repository.Repository
	// View is the repository's live index: base versions are found in it.
	View *repository.View
	// Epoch is the upload's claim; Predecessors are those it supersedes, oldest first.
	Epoch        uint64
	Predecessors []uint64
	// Skip says which keys a collector has condemned: they are not adopted. nil: none.
	Skip func(key string) bool

	Length int64 // guest bytes of the disk
	Params chunk.Params
	Bases  []chunk.ID // manifest roots of the versions that the client named and may read

	// Pool is what the packs are made in. Scratch, another pool, is what batches are unpacked in: who
	// holds scratch memory may wait for a pack, and never the other way round. nil: one of DefaultScratch.
	Pool    *buffer.Pool
	Scratch *buffer.Pool
	Decoder frame.Decompressor
	Encoder frame.Compressor // for nodes; nil: they are stored plain

	InFlight int    // packs on their way to the store at once; 0: the Writer's default
	TempDir  string // where sets of ids spill to
}

func (c Config) withDefaults() (Config, error) {
	if c.Repository == nil || c.View == nil || c.Pool == nil || c.Decoder == nil || c.Epoch == 0 {
		return c, fmt.Errorf("intake needs a repository, a view, a pool, a decoder and an epoch")
	}
	if c.Params == (chunk.Params{}) {
		c.Params = chunk.DefaultParams()
	}
	if c.Scratch == nil {
		c.Scratch = buffer.New(DefaultScratch)
	}
	if c.Scratch == c.Pool {
		return c, fmt.Errorf("intake needs a scratch pool of its own")
	}
	return c, nil
}

// Session is one upload at one node, under one claim. It is safe for use by many goroutines.
//
// Lock order: turn, then checkpointing, then mu. No call goes out to the store under mu.
type Session struct {
	Config
	shape manifest.Shape
	repo  *keeper
	bases *idset.Set // chunks of the base versions

	life context.Context // ends with Close
	end  context.CancelFunc

	batches       atomic.Uint64       // begun
	turn          *semaphore.Weighted // 1 of maxParallel is a batch; all of them commit or close
	checkpointing *semaphore.Weighted // 1

	mu           sync.Mutex
	closed       bool
	result       *Result              // set by Commit
	done         map[int64]finished   // spans
	fresh        map[int64]struct{}   // spans done and in no checkpoint yet; a subset of done
	pending      map[int64]*pending   // spans
	pendingBytes int                  // of the nodes in pending
	waiting      map[chunk.ID][]int64 // spans in pending, by the chunks that they miss
	accepted     int64                // stored bytes of frames, adopted ones included
	durable      int64                // of these, those that no restart sends again; durable <= accepted
	plain        int64                // bytes of the chunks of the frames accepted
	seq          uint64               // of the next checkpoint
}

// Open begins a session: it adopts what the predecessors left on the store, and reads which chunks the base
// versions hold. Nothing runs when no method does.
func Open(ctx context.Context, c Config) (*Session, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Session{
		Config: c, shape: manifest.Shape{Length: c.Length, Span: int64(c.Params.Span)},
		bases: idset.New(c.TempDir, 0), turn: semaphore.NewWeighted(maxParallel), checkpointing: semaphore.NewWeighted(1),
		done: make(map[int64]finished), fresh: make(map[int64]struct{}),
		pending: make(map[int64]*pending), waiting: make(map[chunk.ID][]int64),
	}
	// A builder refuses lengths and parameters that make no manifest.
	if _, err := manifest.NewBuilder(c.Params, c.Length, nil); err != nil {
		return nil, err
	}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if s.repo, err = newKeeper(s.life, c); err != nil {
		s.end()
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) open(ctx context.Context) error {
	if err := s.learnBases(ctx); err != nil {
		return err
	}
	return s.adopt(ctx)
}

// Durable is the number of stored bytes of this upload that no restart sends again.
func (s *Session) Durable() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable
}

// Close ends the session without committing: calls under way fail with ErrClosed, and what is not
// in a checkpoint may be lost. It returns when nothing runs any more.
func (s *Session) Close() error {
	s.end()
	s.turn.Acquire(context.Background(), maxParallel)
	defer s.turn.Release(maxParallel)
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	err := s.repo.w.Close()
	if e := s.bases.Close(); err == nil {
		err = e
	}
	return err
}

// enter takes n of the turns. The context it returns also ends with the session.
func (s *Session) enter(ctx context.Context, n int64) (context.Context, func(), error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(ErrClosed) })
	leave := func() {
		stop()
		cancel(nil)
	}
	if err := s.turn.Acquire(ctx, n); err != nil {
		leave()
		return nil, nil, context.Cause(ctx)
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed || s.life.Err() != nil {
		s.turn.Release(n)
		leave()
		return nil, nil, ErrClosed
	}
	return ctx, func() { s.turn.Release(n); leave() }, nil
}
