package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"loggia/api/v1"
)

// TestFaultyStores fills, hides and damages stores and loses a region: each has a name and a bound,
// the other regions go on, and nobody ever gets wrong bytes. It mounts file systems, so it needs root.
func TestFaultyStores(t *testing.T) {
	t.Parallel()
	small := t.TempDir()
	tmpfs(t, small, "64m")
	t.Cleanup(func() {
		if err := syscall.Unmount(small, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := federate(t, []string{"a", "b", "c"}, map[string]string{"b": filepath.Join(small, "store")})
	dir := t.TempDir()
	n := seed(t)
	big, tiny := image(t, filepath.Join(dir, "big"), 40, n), image(t, filepath.Join(dir, "tiny"), 4, n+1)

	t.Run("a store that fills up", func(t *testing.T) { full(t, s, small, big, tiny) })
	t.Run("a store that goes away", func(t *testing.T) { away(t, s, dir, tiny) })
	t.Run("a store that damages bytes", func(t *testing.T) { damaged(t, s, dir, big) })
	t.Run("a region that is lost", func(t *testing.T) { lost(t, s, dir, big, tiny) })
}

func tmpfs(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a tmpfs (root is needed): %v", err)
	}
}

// storeState waits until a region's store has the state.
func storeState(t *testing.T, s *servers, seenFrom, region, want string) v1.Store {
	t.Helper()
	var store v1.Store
	eventually(t, "store of "+region+" to be "+want, func() error {
		for _, r := range read[[]v1.Region](t, s.at(seenFrom), "region", "list") {
			if r.Name == region && len(r.Stores) == 1 {
				if store = r.Stores[0]; store.State == want {
					return nil
				}
			}
		}
		return fmt.Errorf("it is %s (%s)", store.State, store.Reason)
	})
	return store
}

// replicaReason waits until a region's replica of a version has failed for a reason.
func replicaReason(t *testing.T, s *servers, seenFrom, version, region, want string) {
	t.Helper()
	eventually(t, region+" to fail with "+want, func() error {
		var all []string
		for _, r := range read[v1.VersionStatus](t, s.at(seenFrom), "status", version).Regions {
			for _, p := range r.Replicas {
				if r.Region == region && p.State == "Failed" && p.Reason == want && p.LastError != "" && !p.NextRetry.IsZero() {
					return nil
				}
				all = append(all, fmt.Sprintf("%s: %s %s %q", r.Region, p.State, p.Reason, p.LastError))
			}
		}
		return errors.New(strings.Join(all, "; "))
	})
}

// fill writes a file until so many bytes are left in a file system.
func fill(t *testing.T, dir string, left int64) string {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(dir, "filler")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(st.Bavail)*st.Bsize-left); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// full fills the file system of region b's store, and then makes room.
func full(t *testing.T, s *servers, mount, big, tiny string) {
	filler := fill(t, mount, 14*mib)
	s.ok(t, "publish", big, "g/big/1.0.0", "--regions", "a,b,c", "--wait", "2")
	s.fails(t, 6, []string{"some regions failed", "b"}, "wait", "g/big/1.0.0", "--timeout", "60s")
	replicaReason(t, s, "a", "g/big/1.0.0", "b", "StoreFull")
	rest := fill(t, mount, mib/2)
	if st := storeState(t, s, "a", "b", "full"); st.Reason == "" {
		t.Error("the full store gives no reason")
	}
	// A publish that would land there is refused with the store's state; others do not notice.
	s.at("b").fails(t, 8, []string{"full"}, "publish", tiny, "g/full/1.0.0")
	s.ok(t, "publish", tiny, "g/tiny/1.0.0", "--regions", "a,c")
	if err := errors.Join(os.Remove(filler), os.Remove(rest)); err != nil {
		t.Fatal(err)
	}
	s.ok(t, "wait", "g/big/1.0.0", "--through-failures", "--timeout", "90s")
	storeState(t, s, "c", "b", "ok")
	out := filepath.Join(t.TempDir(), "out")
	s.at("b").ok(t, "pull", "g/big/1.0.0", "-o", out)
	same(t, out, big)
}

// away takes the directory of region c's store away and puts it back.
func away(t *testing.T, s *servers, dir, tiny string) {
	store := filepath.Join(s.home("c"), "store")
	if err := os.Rename(store, store+".away"); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "away")
	pulling := start(t, filepath.Join(dir, "pull", "log"), "pull", "g/tiny/1.0.0", "-o", out, "--address", s.address("c"),
		"--token", s.vars["LOGGIA_TOKEN"], "--cacert", s.vars["LOGGIA_CACERT"])
	if st := storeState(t, s, "a", "c", "unavailable"); st.Reason == "" {
		t.Error("the store that is away gives no reason")
	}
	s.ok(t, "publish", tiny, "g/away/1.0.0", "--regions", "a,b")
	if _, err := os.Stat(store); err == nil {
		t.Error("the node made a new store where its own was taken away")
		if err := os.RemoveAll(store); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(store+".away", store); err != nil {
		t.Fatal(err)
	}
	storeState(t, s, "a", "c", "ok")
	// The pull had no bytes to read, or went on from open files: either way it ends, and is right.
	if code, log := pulling.ended(t); code != 0 {
		t.Errorf("pull while the store was away: exit %d\n%s", code, log)
	}
	same(t, out, tiny)
}

// damaged flips a byte in every 4 KiB of region c's data packs.
func damaged(t *testing.T, s *servers, dir, big string) {
	files := 0
	err := filepath.WalkDir(filepath.Join(s.home("c"), "store"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) < mib {
			return err
		}
		files++
		for at := 1000; at < len(b); at += 4096 {
			b[at] ^= 0x40
		}
		return os.WriteFile(path, b, 0o600)
	})
	if err != nil || files == 0 {
		t.Fatalf("%d packs damaged: %v", files, err)
	}
	out := filepath.Join(dir, "damaged")
	s.at("c").fails(t, 9, nil, "pull", "g/big/1.0.0", "-o", out)
	if _, err := os.Stat(out); err == nil {
		t.Error("a pull that failed left its output under its name")
	}
	s.at("b").ok(t, "pull", "g/big/1.0.0", "-o", out)
	same(t, out, big)
	// The same version in a new region comes from one that is whole, and is right.
	s.ok(t, "publish", big, "g/spread/1.0.0", "--regions", "a,b")
	s.at("b").ok(t, "pull", "g/spread/1.0.0", "-o", out+".spread")
	same(t, out+".spread", big)
}

// lost loses the only region that has a version.
func lost(t *testing.T, s *servers, dir, big, tiny string) {
	s.ok(t, "publish", changed(t, tiny, filepath.Join(dir, "only"), 99), "g/only/1.0.0", "--regions", "a")
	s.daemons["a"].kill(t)
	s.at("b").ok(t, "version", "update", "g/only/1.0.0", "--regions", "a,b")
	replicaReason(t, s, "c", "g/only/1.0.0", "b", "Unreachable")
	s.at("b").fails(t, 5, nil, "region", "remove", "a")
	r := s.at("b").run(t, "region", "remove", "a", "--lost")
	if r.code != 0 || !strings.Contains(r.out, "g/only/1.0.0") || strings.Contains(r.out, "g/big") {
		t.Errorf("region remove --lost: exit %d\n%s%s", r.code, r.out, r.err)
	}
	replicaReason(t, s, "c", "g/only/1.0.0", "b", "NoSource")
	s.at("b").fails(t, 3, nil, "pull", "g/only/1.0.0", "-o", filepath.Join(dir, "gone"))
	out := filepath.Join(dir, "kept")
	s.at("b").ok(t, "pull", "g/big/1.0.0", "-o", out)
	same(t, out, big)
}
