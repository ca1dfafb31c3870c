package replication

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/transfer/pace"
)

// The reasons for which a copy rests without a failure. What came is kept: the next claim adopts it.
var (
	errPaused    = errors.New("the copy was paused")
	errUnwanted  = errors.New("no version wants the copy any more")
	errPreempted = errors.New("a more urgent copy needs the place")
)

// deference is how long a node leaves a replica to another one of its region that has less to do.
const deference = 3 * time.Second

// due returns the replicas that this node could make now, the most urgent first, and of these the one that is wanted longest. Each node has an order of
// its own among equals, so that they do not all reach for the same. next is brought forward to when another one will be due.
func (l *Loop) due(v *state.View, next *time.Time) []*gallery.Replica {
	now, rows := l.o.Now(), v.ReplicasOfRegion(l.o.Region)
	l.abandon(rows)
	var out []*gallery.Replica
	for _, row := range rows {
		l.heed(v, row)
		if row.Whole() || row.Paused != nil || !l.o.Depot.Has(row.Store) || row.Claim != nil && row.Claim.Node != l.o.Self {
			continue
		}
		if row.Claim == nil && row.NextRetry.After(now) {
			earliest(next, row.NextRetry)
			continue
		}
		if l.behind(v, row) {
			continue
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(a, b *gallery.Replica) int {
		return cmp.Or(cmp.Compare(b.Priority.Rank(), a.Priority.Rank()), a.Wanted.Compare(b.Wanted), cmp.Compare(l.lot(a), l.lot(b)))
	})
	return out
}

// behind says whether another copy is made in this region first, from which this one is then made without a byte from
// elsewhere. A copy that fails or rests gives its claim up, and holds nobody back.
func (l *Loop) behind(v *state.View, row *gallery.Replica) bool {
	for _, r := range v.ReplicasOfDisk(row.Key.Disk) {
		if r.Key.Region == row.Key.Region && r.Key.Slot < row.Key.Slot && !r.Whole() && (r.Claim != nil || l.busy(r.Key)) {
			return true
		}
	}
	return false
}

func (l *Loop) busy(k gallery.ReplicaKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.jobs[k] != nil
}

// abandon stops the jobs of replicas that nobody wants any more.
func (l *Loop) abandon(rows []*gallery.Replica) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.jobs) == 0 {
		return
	}
	for k, j := range l.jobs {
		if !slices.ContainsFunc(rows, func(r *gallery.Replica) bool { return r.Key == k }) {
			j.stop(errUnwanted)
		}
	}
}

func earliest(next *time.Time, t time.Time) {
	if t.Before(*next) {
		*next = t
	}
}

// lot orders replicas differently on each node.
func (l *Loop) lot(r *gallery.Replica) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(string(l.o.Self) + r.Key.String())) // never fails
	return h.Sum64()
}

// heed stops the job of a replica that another node has claimed (D5), that was paused, or that relies on keys which a collector has
// condemned (it begins again with what is left, and keeps what it has sent), and tells it the priority of now.
func (l *Loop) heed(v *state.View, row *gallery.Replica) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.jobs[row.Key]
	if j == nil {
		return
	}
	j.rank.Store(int64(row.Priority.Rank()))
	switch {
	case row.Claim != nil && row.Claim.Node != l.o.Self:
		j.stop(errSuperseded)
	case row.Paused != nil:
		j.stop(errPaused)
	case row.Claim != nil && j.moved(row.Claim.Epoch, v.Repository(row.Repository()).Epoch):
		j.stop(errMoved)
	}
}

// start begins a job unless there is one for the replica, or enough of them: then a less urgent one gives its place. It says when to look again where
// another node may take the replica first.
func (l *Loop) start(ctx context.Context, v *state.View, row *gallery.Replica, work *sync.WaitGroup) (again time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jobs[row.Key] != nil {
		return
	}
	if len(l.jobs) >= atOnce {
		l.preempt(row)
		return
	}
	if row.Claim == nil && len(l.jobs) > 0 && l.idler(v) {
		since, seen := l.left[row.Key]
		if !seen {
			since = l.o.Now()
			l.left[row.Key] = since
		}
		if again = since.Add(deference); again.After(l.o.Now()) {
			return again
		}
	}
	delete(l.left, row.Key)
	ctx, cancel := context.WithCancelCause(ctx)
	j := &job{l: l, row: row, cancel: cancel}
	j.rank.Store(int64(row.Priority.Rank()))
	l.jobs[row.Key] = j
	work.Go(func() {
		defer l.end(j)
		defer cancel(nil)
		j.run(ctx)
	})
	return time.Time{}
}

// idler says whether another node of the region has fewer replicas in work than this one.
func (l *Loop) idler(v *state.View) bool {
	return slices.ContainsFunc(v.Nodes(l.o.Region), func(n *gallery.Node) bool {
		return n.ID != l.o.Self && l.o.Alive(n.ID) && len(v.ReplicasOfNode(n.ID)) < len(l.jobs)
	})
}

// preempt takes the place of the least urgent job for a replica that is more urgent; l.mu is held. While one gives its place already no other is asked.
func (l *Loop) preempt(row *gallery.Replica) {
	var least *job
	for _, j := range l.jobs {
		if j.stopped {
			return
		}
		if least == nil || j.rank.Load() < least.rank.Load() {
			least = j
		}
	}
	if least.rank.Load() < int64(row.Priority.Rank()) && !least.nearlyDone() {
		least.stop(errPreempted)
	}
}

// stop ends the job; l.mu is held.
func (j *job) stop(why error) {
	j.stopped = true
	j.cancel(why)
}

// nearlyDone says whether all bytes are here: what is left costs less than to begin again.
func (j *job) nearlyDone() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last.Total > 0 && j.last.Left == 0
}

// class is how urgent the job's requests are.
func (j *job) class() pace.Class { return pace.Class(j.rank.Load()) }
