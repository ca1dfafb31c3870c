package collect_test

import (
	"fmt"
	"testing"

	"loggia/blobstore"
	"loggia/blobstore/s3"
	"loggia/internal/digest"
	"loggia/testing/s3servers"
	"loggia/transfer/pack"
	"loggia/transfer/serve/servetest"
)

// TestRealServers has the collector's stories told by real S3 servers: their listings come in pages, in an order of their own making, and their
// deletes are requests that can be repeated.
func TestRealServers(t *testing.T) {
	for _, kind := range s3servers.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			srv := s3servers.Start(t, kind)
			for name, story := range map[string]func(*testing.T, func() blobstore.Store){
				"deletes what nobody needs":   func(t *testing.T, s func() blobstore.Store) { deletesWhatNobodyNeeds(t, s()) },
				"what was compacted serves":   func(t *testing.T, s func() blobstore.Store) { compactedServes(t, s()) },
				"completed after the mark":    func(t *testing.T, s func() blobstore.Store) { completedAfterTheMark(t, s(), true) },
				"more than a page of garbage": func(t *testing.T, s func() blobstore.Store) { pages(t, s()) },
				"a crash in between":          crashes,
			} {
				t.Run(name, func(t *testing.T) { story(t, func() blobstore.Store { return openServer(t, srv) }) })
			}
		})
	}
}

// openServer opens a new bucket.
func openServer(t *testing.T, srv s3servers.Server) blobstore.Store {
	t.Helper()
	s, err := s3.Open(s3.Options{Endpoint: srv.Endpoint, Bucket: srv.NewBucket(t), Region: srv.Region, CAFile: srv.CAFile,
		Credentials: s3.Credentials{AccessKey: srv.AccessKey, SecretKey: srv.SecretKey}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // of idle connections
	return s
}

// crashes ends collections at some of their writes.
func crashes(t *testing.T, fresh func() blobstore.Store) {
	for n := int64(0); crashAfter(t, fresh(), n); n += 7 {
	}
}

// perPage is how many objects S3 lists at once.
const perPage = 1000

// pages holds that all garbage is found and deleted, and nothing else, where the listing has several pages: garbage before, between and after
// what is live.
func pages(t *testing.T, s blobstore.Store) {
	g := newRig(t, s)
	g.series(2, 4<<20)
	live, _ := g.keys()
	const more = perPage + perPage/10
	for i := range more {
		kind := []pack.Kind{pack.Data, pack.Nodes}[i%2]
		g.must(s.Put(t.Context(), g.Repo.Keys.Pack(kind, uint64(1+i%int(g.Epoch)), digest.Of(fmt.Append(nil, i))), []byte("x")))
	}
	r := g.mustCollect()
	left, _ := g.keys()
	if r.Garbage < more || len(left) > len(live) {
		t.Errorf("%d keys of %d live ones are left; %+v", len(left), len(live), r)
	}
	g.check()
	g.clean()
}

// TestPages is the same in memory.
func TestPages(t *testing.T) { pages(t, servetest.Memory()) }
