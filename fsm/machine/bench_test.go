package machine_test

import (
	"runtime"
	"testing"

	"loggia/fsm/command"
	"loggia/gallery"
)

// BenchmarkApply measures a change of target regions: decode, three rows, hash, commit.
func BenchmarkApply(b *testing.B) {
	r := newRig(b)
	r.found("a", "b", "c")
	d := r.publish(1, 1)
	var entries [2][]byte
	for i, targets := range [][]gallery.RegionName{{"a", "b"}, {"a", "b", "c"}} {
		data, err := command.Encode(command.Header{Time: r.now}, &command.VersionPut{Version: version(1, d, "a", targets...)})
		if err != nil {
			b.Fatal(err)
		}
		entries[i] = data
	}
	for i := 0; b.Loop(); i++ {
		r.index++
		if res, ok := r.m.Apply(r.index, 1, entries[i%2]).(command.Result); !ok || res.Err != nil {
			b.Fatal(res.Err)
		}
	}
}

// BenchmarkVersions tells what 100,000 versions of one disk each, wanted in three regions, take in memory and in a snapshot.
func BenchmarkVersions(b *testing.B) {
	const versions = 100_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r := newRig(b)
		r.found("a", "b", "c")
		for n := range versions {
			d := r.publish(n, 1)
			if n%200 == 0 {
				r.merge()
			}
			v := version(n, d, "a", "a", "b", "c")
			r.do(&command.VersionPut{Version: v})
			r.log = nil
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "live-MB")
		b.ReportMetric(float64(len(r.snapshot()))/1e6, "snapshot-MB")
		runtime.KeepAlive(r)
	}
}

// merge leaves one live segment in the repository that publish writes to.
func (r *rig) merge() {
	k := gallery.RepositoryKey{Store: store(1), Slot: 1, Domain: gallery.DomainOf(tenant)}
	repo := r.m.View().Repository(k)
	c := &command.RepositoryCompact{Repository: k, Epoch: repo.Epoch, Claim: r.collector(k, 1), Add: []gallery.Segment{segment(1, int(r.index)+1<<30)}}
	for _, s := range repo.Segments {
		c.Remove = append(c.Remove, s.ID)
	}
	r.do(c)
}
