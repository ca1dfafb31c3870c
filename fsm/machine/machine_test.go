package machine_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/gallery"
	"loggia/internal/digest"
)

// story is a log with something of everything.
func story(t testing.TB) *rig {
	r := newRig(t)
	r.found("a", "b", "c")
	d1, d2 := r.publish(1, 1), r.publish(2, 2)
	r.do(&command.VersionPut{Version: version(1, d1, "a", "a", "b", "c")})
	r.do(&command.VersionPut{Version: version(2, d2, "a", "a", "b")})
	r.replicate(1, key(d1, "b", 1), 2)
	r.claim(key(d1, "c", 1), 3)
	r.now = r.now.Add(time.Minute)
	r.do(&command.AccessTokenPut{Token: gallery.AccessToken{ID: id[gallery.TokenID](3, 3), Hash: root(3), Name: "ci"}})
	r.do(&command.UploadOpen{ID: upload(3), Domain: gallery.DomainOf(tenant), Region: "a", Store: store(1), Node: node(1), Content: gallery.ContentDisk, Size: 512, Lease: lease, Life: life})
	r.send(command.Header{RequestID: "r1"}, &command.GalleryPut{Gallery: gallery.Gallery{Ref: galleryRef("other"), Tenant: tenant, ResourceGroup: "default", Location: "a"}})
	r.send(command.Header{RequestID: "r2"}, &command.GalleryDelete{Ref: galleryRef("nosuch")})
	return r
}

func TestSameLogSameState(t *testing.T) {
	r := story(t)
	other := newRig(t)
	for _, b := range r.log {
		other.apply(b)
	}
	i1, h1 := r.m.Hash()
	i2, h2 := other.m.Hash()
	if i1 != i2 || h1 != h2 {
		t.Fatal("the same log gave two states")
	}
	if !bytes.Equal(r.snapshot(), other.snapshot()) {
		t.Fatal("the same log gave two snapshots")
	}
}

func TestRestore(t *testing.T) {
	r := story(t)
	image := r.snapshot()
	restored := &rig{t: t, m: machine.New(), index: r.index, now: r.now}
	view := restored.m.View()
	if err := restored.m.Restore(bytes.NewReader(image)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-view.Replaced():
	default:
		t.Fatal("who watched the old state was not woken")
	}
	_, want := r.m.Hash()
	if i, got := restored.m.Hash(); got != want || i != r.index {
		t.Fatal("the restored state is another")
	}
	if !bytes.Equal(restored.snapshot(), image) {
		t.Fatal("the restored state gives another snapshot")
	}
	next := &command.RegionPut{Region: gallery.Region{Name: "z"}}
	r.do(next)
	restored.do(next)
	_, want = r.m.Hash()
	if _, got := restored.m.Hash(); got != want {
		t.Fatal("the states part after the restore")
	}
}

func TestDamagedSnapshot(t *testing.T) {
	r := newRig(t)
	r.do(&command.RegionPut{Region: gallery.Region{Name: "a"}})
	r.send(command.Header{RequestID: "r"}, &command.RegionPut{Region: gallery.Region{Name: "b"}})
	image := r.snapshot()
	m := machine.New()
	_, empty := m.Hash()
	for i := range image {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(image)
			bad[i] ^= flip
			if err := m.Restore(bytes.NewReader(bad)); err == nil {
				t.Fatalf("byte %d of %d flipped by %#x, and restored", i, len(image), flip)
			}
		}
		if err := m.Restore(bytes.NewReader(image[:i])); err == nil {
			t.Fatalf("cut at %d of %d, and restored", i, len(image))
		}
	}
	if err := m.Restore(bytes.NewReader(append(bytes.Clone(image), 0))); err == nil {
		t.Fatal("a byte too many, and restored")
	}
	if _, got := m.Hash(); got != empty {
		t.Fatal("a refused snapshot changed the state")
	}
	if err := m.Restore(bytes.NewReader(image)); err != nil {
		t.Fatal(err)
	}
}

func FuzzRestore(f *testing.F) {
	for _, image := range [][]byte{story(f).snapshot(), newRig(f).snapshot()} {
		f.Add(image[:len(image)-digest.Size])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		seal := digest.Of(b) // with it the rows are looked at too
		m := machine.New()
		if m.Restore(bytes.NewReader(append(b, seal[:]...))) != nil {
			return
		}
		var out bytes.Buffer
		if err := m.Snapshot().Write(&out); err != nil {
			t.Fatal(err)
		}
		if err := machine.New().Restore(&out); err != nil {
			t.Fatalf("what was restored cannot be restored again: %v", err)
		}
	})
}

func TestRequestOnce(t *testing.T) {
	r := newRig(t)
	r.found("a")
	put := func(reqID, name string) command.Result {
		return r.send(command.Header{RequestID: reqID}, &command.GalleryPut{If: command.Precondition{Absent: true},
			Gallery: gallery.Gallery{Ref: galleryRef(name), Tenant: tenant, ResourceGroup: "default", Location: "a"}})
	}
	first := put("x", "once")
	second := put("x", "once")
	if first.Err != nil || second.Err != nil || !second.Repeated || second.Index != first.Index {
		t.Fatalf("first %+v, second %+v", first, second)
	}
	if g := second.Value.(*gallery.Gallery); g.Ref != galleryRef("once") || g.ETag != first.Index {
		t.Fatalf("the repeat answers %+v", g)
	}
	if res := r.send(command.Header{RequestID: "x"}, &command.GalleryDelete{Ref: galleryRef("once")}); !errors.Is(res.Failure(), gallery.ErrConflict) {
		t.Fatalf("another command under the same id: %v", res.Err)
	}
	// A failure is remembered too.
	put("y", "once")
	if res := put("y", "once"); !res.Repeated || !errors.Is(res.Failure(), gallery.ErrPrecondition) {
		t.Fatalf("the repeat of a failure: %+v", res)
	}
	r.now = r.now.Add(machine.RequestLife + time.Second)
	if n := r.do(&command.PruneRequests{}).Value.(*command.Expired).Count; n != 2 {
		t.Fatalf("%d requests pruned, want 2", n)
	}
	if res := put("x", "once"); res.Repeated || !errors.Is(res.Failure(), gallery.ErrPrecondition) {
		t.Fatalf("after 24 h it is a new request: %+v", res)
	}
}

func TestFatal(t *testing.T) {
	good := func(r *rig) []byte {
		b, err := command.Encode(command.Header{Time: r.now}, &command.RegionPut{Region: gallery.Region{Name: "a"}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, data := range map[string][]byte{
		"empty":        {},
		"garbage":      {0xff, 1, 2},
		"unknown kind": {0xa4, 1, 0x19, 0x7f, 0xff, 2, 1, 5, 0xf6, 6, 0xa0},
		"too long":     make([]byte, command.MaxSize+1),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.apply(good(r))
			before := r.snapshot()
			fatal, ok := r.m.Apply(2, 1, data).(interface{ Fatal() bool })
			if !ok || !fatal.Fatal() {
				t.Fatal("applied")
			}
			if !bytes.Equal(before, r.snapshot()) {
				t.Fatal("a fatal entry moved the state")
			}
			if _, ok := r.m.Apply(3, 1, good(r)).(command.Result); ok {
				t.Fatal("an entry was applied after a fatal one")
			}
		})
	}
	r := newRig(t)
	r.apply(good(r))
	if _, ok := r.m.Apply(1, 1, good(r)).(command.Result); ok {
		t.Fatal("the same index was applied twice")
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	r := newRig(t)
	r.do(&command.RegionPut{Region: gallery.Region{Name: "a"}})
	r.now = r.now.Add(-time.Hour)
	r.do(&command.RegionPut{Region: gallery.Region{Name: "b"}})
	if got := r.m.View().Region("b").Created; !got.Equal(epoch0) {
		t.Fatalf("created %s", got)
	}
}

func TestHashAt(t *testing.T) {
	r := newRig(t)
	put := func() { r.do(&command.RegionPut{Region: gallery.Region{Name: "a"}}) }
	r.index = 998
	put() // 999
	_, want := r.m.Hash()
	r.index = 1000 // 1000 was no command
	put()
	if got, ok := r.m.HashAt(1000); !ok || got != want {
		t.Fatal("the hash at 1000 is that after 999")
	}
	r.index = 1999
	put()
	_, want = r.m.Hash()
	if got, ok := r.m.HashAt(2000); !ok || got != want {
		t.Fatal("the hash at 2000")
	}
	if i, _, ok := r.m.LatestHash(); !ok || i != 2000 {
		t.Fatalf("latest %d", i)
	}
}

func TestWatch(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "a", "a", "b")})
	woken := func(w interface{ Wait(context.Context) error }) bool {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return w.Wait(ctx) == nil
	}
	view, watch := r.m.Watched()
	view.ReplicasOfRegion("b")
	all := r.m.View()
	r.do(&command.RegionPut{Region: gallery.Region{Name: "other"}})
	select {
	case <-all.Changed():
	default:
		t.Fatal("Changed did not wake")
	}
	if woken(watch) {
		t.Fatal("the watch of b woke for something else")
	}
	r.claim(key(d, "b", 1), 2)
	if err := watch.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	view, watch = r.m.Watched()
	view.Version(versionRef(1))
	if err := r.m.Restore(bytes.NewReader(r.snapshot())); err != nil {
		t.Fatal(err)
	}
	if err := watch.Wait(t.Context()); err != nil {
		t.Fatal("the watch did not wake for the restore")
	}
}

func TestWaitApplied(t *testing.T) {
	r := newRig(t)
	done := make(chan error, 1)
	go func() { done <- r.m.WaitApplied(t.Context(), 2) }()
	r.do(&command.RegionPut{Region: gallery.Region{Name: "a"}})
	r.do(&command.RegionPut{Region: gallery.Region{Name: "b"}})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.m.WaitApplied(ctx, 99); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
