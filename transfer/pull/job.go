package pull

import (
	"context"

	"loggia/transfer/chunk"
)

// jobStored bounds the stored bytes that one request asks for, as far as what came so far tells: what a broken connection costs, times
// the requests in flight, stays below 64 MiB. Smaller requests would halve more frames at their borders. jobPlain bounds the plain ones.
const (
	jobStored = 16 << 20
	jobPlain  = 32 << 20
)

// job is some chunks that nobody here has, mostly of one span.
type job struct {
	want   []Want
	places map[chunk.ID][]int64 // guest offsets
	length map[chunk.ID]uint32
	plain  int64 // bytes of the chunks, each counted once
	limit  int64 // of plain, from which on it is full
}

func newJob(limit int64) *job {
	return &job{places: map[chunk.ID][]int64{}, length: map[chunk.ID]uint32{}, limit: limit}
}

// jobLimit is where a job is full. Where chunks are looked for past the source, a connection that breaks costs one request of several,
// and more neighbours are one request then.
func (p *puller) jobLimit() int64 {
	if p.o.Direct != nil {
		return jobPlain
	}
	return sourceLimit(p.wire.Load(), p.fetched.Load())
}

// sourceLimit is where a request to the source is full, where so many stored bytes gave so many plain ones.
func sourceLimit(wire, plain int64) int64 {
	if wire <= 0 || plain <= wire {
		return jobStored
	}
	return int64(min(jobPlain, float64(jobStored)*float64(plain)/float64(wire)))
}

// add asks for a chunk of a span, once however often it occurs.
func (j *job) add(span int64, ref chunk.Ref, places ...int64) {
	if _, twice := j.places[ref.ID]; !twice {
		if n := len(j.want); n == 0 || j.want[n-1].Span != span {
			j.want = append(j.want, Want{Span: span})
		}
		last := &j.want[len(j.want)-1]
		last.IDs = append(last.IDs, ref.ID)
		j.length[ref.ID] = ref.Length
		j.plain += int64(ref.Length)
	}
	j.places[ref.ID] = append(j.places[ref.ID], places...)
}

func (j *job) full() bool { return j.plain >= j.limit }

// take adds all of another job.
func (j *job) take(o *job) {
	for _, w := range o.want {
		for _, id := range w.IDs {
			j.add(w.Span, chunk.Ref{ID: id, Length: o.length[id]}, o.places[id]...)
		}
	}
}

// wasteLimit is how many stored bytes may come in a row of which nothing is wanted: a source that tries
// again after a break repeats what came before it, and does so a few times.
func (j *job) wasteLimit() int64 { return 16*j.plain + 16<<20 }

// gather joins small jobs as long as nobody is free to fetch them.
func gather(ctx context.Context, in <-chan *job, out chan<- *job) error {
	var next *job
	for in != nil || next != nil {
		from, to := in, out
		if next == nil {
			to = nil
		} else if next.full() {
			from = nil
		}
		select {
		case j, ok := <-from:
			switch {
			case !ok:
				in = nil
			case next == nil:
				next = j
			default:
				next.take(j)
			}
		case to <- next:
			next = nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
