package turns

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/proposal"
)

// Reporter puts this node's reports into the log.
type Reporter interface {
	Report(ctx context.Context, c command.Command) (command.Result, error)
}

// checkingSince is the cluster version from which a claim says what it is held for.
const checkingSince = 4

// Claims takes the collectors' claims of this node and gives them back. In the log a node's claim supersedes its own; so among the duties of
// one node this is what lets one at a time have a repository. It is safe for use by many goroutines.
type Claims struct {
	Self    gallery.NodeID
	Lease   time.Duration // renewed with the node's other claims
	Reports Reporter
	Version func() uint32 // of the cluster

	mu   sync.Mutex
	held map[gallery.RepositoryKey]chan struct{} // closed when it is given back
}

// Active says whether this node holds a claim, which is to be renewed.
func (c *Claims) Active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held) > 0
}

// Take claims a repository, to check it or to collect. Where another duty of this node has it, it waits until ctx ends, or not at all if now is
// set. gallery.ErrClaimed: another node, or duty, has it. The epoch of the row's claim is what Release wants.
func (c *Claims) Take(ctx context.Context, k gallery.RepositoryKey, checking, now bool) (*gallery.Repository, error) {
	if err := c.hold(ctx, k, now); err != nil {
		return nil, err
	}
	cmd := &command.RepositoryClaim{Repository: k, Node: c.Self, Lease: c.Lease, Checking: checking && c.Version() >= checkingSince}
	row, err := proposal.As[gallery.Repository](c.Reports.Report(ctx, cmd))
	if err != nil {
		c.drop(k)
		return nil, err
	}
	return &row, nil
}

// releaseFor bounds giving a claim back, which is done also while the node stops.
const releaseFor = 3 * time.Second

// Release gives a claim back, with the report of a collection where there is one. It does so once the caller's context has ended, too.
func (c *Claims) Release(k gallery.RepositoryKey, epoch uint64, report *gallery.Collection) error {
	defer c.drop(k)
	ctx, cancel := context.WithTimeout(context.Background(), releaseFor)
	defer cancel()
	_, err := c.Reports.Report(ctx, &command.RepositoryRelease{Repository: k, Claim: epoch, Report: report})
	if errors.Is(err, gallery.ErrStaleClaim) {
		return nil
	}
	return err
}

// Return gives back what by the log's word this node has, and none of its duties has: the answer to taking it was lost, or giving it back failed. Otherwise
// the node would renew it for as long as it has any other claim, and no other node could have the repository.
func (c *Claims) Return(ctx context.Context, v *state.View) error {
	var errs []error
	for _, r := range v.RepositoriesOfNode(c.Self) {
		if c.has(r.Key) {
			continue
		}
		// Where a duty takes it meanwhile this is a stale claim.
		_, err := c.Reports.Report(ctx, &command.RepositoryRelease{Repository: r.Key, Claim: r.Claim.Epoch})
		if err != nil && !errors.Is(err, gallery.ErrStaleClaim) {
			errs = append(errs, fmt.Errorf("store %s: %w", r.Key.Store, err))
		}
	}
	return errors.Join(errs...)
}

// has says whether a duty has a repository, or is about to.
func (c *Claims) has(k gallery.RepositoryKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, is := c.held[k]
	return is
}

func (c *Claims) hold(ctx context.Context, k gallery.RepositoryKey, now bool) error {
	for {
		c.mu.Lock()
		busy, is := c.held[k]
		if !is {
			if c.held == nil {
				c.held = map[gallery.RepositoryKey]chan struct{}{}
			}
			c.held[k] = make(chan struct{})
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		taken := &gallery.Error{Kind: gallery.ErrClaimed, Op: "claim the repository", Resource: string(k.Store), Message: "this node is at it already"}
		if now {
			return taken
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", taken, ctx.Err())
		}
	}
}

func (c *Claims) drop(k gallery.RepositoryKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.held[k])
	delete(c.held, k)
}
