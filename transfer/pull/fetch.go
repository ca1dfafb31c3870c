package pull

import (
	"context"
	"errors"
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
)

// errUseless ends a request whose answer is not what was asked for.
var errUseless = errors.New("the source sends what was not asked for")

// fetcher holds one request and one frame's plain bytes.
type fetcher struct {
	*gatherer
	job   *job
	left  map[chunk.ID]bool
	waste int64  // stored bytes since something wanted came
	plain []byte // room for the next one
	runs  []run

	hasher chunk.Hasher
}

// run is bytes of plain and where they go: neighbours in both, so that they are one write.
type run struct {
	lo, hi int
	at     int64
}

// fetchJobs fetches what is missing until there is nothing more.
func (p *puller) fetchJobs(ctx context.Context, jobs <-chan *job) error {
	f := &fetcher{gatherer: newGatherer(p), plain: make([]byte, 0, frame.DefaultTarget+frame.Slack)}
	for job := range jobs {
		if err := f.fetch(ctx, job); err != nil {
			return fmt.Errorf("fetch chunks of span %d: %w", job.want[0].Span, err)
		}
		p.report()
	}
	return ctx.Err()
}

func (f *fetcher) fetch(ctx context.Context, j *job) error {
	f.begin(j)
	requests := [][]Want{j.want}
	if f.o.Direct != nil {
		if err := f.fromDirect(ctx); err != nil {
			return err
		}
		requests = f.rest()
	}
	err := f.fromSource(ctx, requests, false)
	if errors.Is(err, ErrVerification) {
		err = f.fromSource(ctx, f.rest(), true)
	}
	if err != nil {
		return err
	}
	if len(f.left) > 0 {
		return fmt.Errorf("%w: the source left out %d chunks", ErrVerification, len(f.left))
	}
	return f.flush()
}

func (f *fetcher) begin(j *job) {
	f.job, f.left, f.waste = j, make(map[chunk.ID]bool, len(j.places)), 0
	for id := range j.places {
		f.left[id] = true
	}
}

// fromSource fetches what is wanted, all of it. ErrVerification: something came wrong.
func (f *fetcher) fromSource(ctx context.Context, requests [][]Want, checked bool) error {
	f.waste = 0
	for _, want := range requests {
		var own error
		err := f.src.Fetch(ctx, want, checked, func(stored []byte, refs []chunk.Ref) error {
			f.wire.Add(int64(len(stored)))
			own = f.place(stored, refs)
			return own
		})
		if own != nil {
			return own
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// place unpacks a frame, checks the chunks that are wanted, and writes them where they belong. After an error all that the
// frame was to bring is still wanted.
func (f *fetcher) place(stored []byte, refs []chunk.Ref) (err error) {
	if !f.useful(refs) {
		if f.waste += int64(len(stored)); f.waste > f.job.wasteLimit() {
			return errUseless
		}
		return nil
	}
	f.waste = 0
	room := f.plain
	if n, ok := f.continues(refs); ok {
		if room, err = f.room(n + frame.Slack); err != nil {
			return err
		}
	}
	b, err := frame.Open(room, stored, f.dec)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrVerification, err)
	}
	if cap(b) > cap(room) && &b[0] != &stored[len(stored)-len(b)] {
		f.plain = b // it has grown to what it needs, at most frame.MaxPlain, and is not the source's
	}
	came, err := f.check(b, refs)
	defer func() {
		if err != nil {
			for _, id := range came {
				f.left[id] = true
			}
		}
	}()
	if err != nil {
		return err
	}
	return f.keep(b, came)
}

// check hashes the chunks of plain that are wanted and plans where they go. They came, and are wanted no more, even where there is an error.
func (f *fetcher) check(plain []byte, refs []chunk.Ref) (came []chunk.ID, err error) {
	f.runs = f.runs[:0]
	f.hasher.Reset() // of a frame that ended too early
	lo := 0
	for _, ref := range refs {
		if int64(ref.Length) > int64(len(plain)-lo) {
			return came, fmt.Errorf("%w: frame is shorter than its chunks", ErrVerification)
		}
		hi := lo + int(ref.Length)
		if f.left[ref.ID] {
			if ref.Length != f.job.length[ref.ID] {
				return came, fmt.Errorf("%w: chunk %s is not what was asked for", ErrVerification, ref.ID.Short())
			}
			for _, at := range f.job.places[ref.ID] {
				f.plan(run{lo, hi, at})
			}
			delete(f.left, ref.ID)
			came = append(came, ref.ID)
			f.hasher.Add(plain[lo:hi])
		}
		lo = hi
	}
	for i, id := range f.hasher.IDs() {
		if id != came[i] {
			return came, fmt.Errorf("%w: chunk %s is not what was asked for", ErrVerification, came[i].Short())
		}
	}
	return came, nil
}

// continues says whether all of a frame comes next in the file after what the gatherer holds, and how many plain bytes that is.
func (f *fetcher) continues(refs []chunk.Ref) (n int, ok bool) {
	if f.out.layout != nil {
		return 0, false
	}
	for _, ref := range refs {
		places := f.job.places[ref.ID]
		if !f.left[ref.ID] || len(places) != 1 || places[0] != f.end()+int64(n) {
			return 0, false
		}
		n += int(ref.Length)
	}
	return n, n+frame.Slack <= gatherSize
}

// plan adds a run to those that will be written, or to its neighbour.
func (f *fetcher) plan(r run) {
	if n := len(f.runs); n > 0 {
		if l := &f.runs[n-1]; l.hi == r.lo && l.at+int64(l.hi-l.lo) == r.at {
			l.hi = r.hi
			return
		}
	}
	f.runs = append(f.runs, r)
}

// keep gives the runs of plain, which hold the chunks that came, all verified, to the gatherer.
func (f *fetcher) keep(plain []byte, came []chunk.ID) error {
	for _, r := range f.runs {
		if err := f.write(plain[r.lo:r.hi], r.at); err != nil {
			return err
		}
		f.fetched.Add(int64(r.hi - r.lo))
	}
	for _, id := range came {
		f.wrote(id, f.job.places[id][0])
	}
	return nil
}

func (f *fetcher) useful(refs []chunk.Ref) bool {
	for _, ref := range refs {
		if f.left[ref.ID] {
			return true
		}
	}
	return false
}
