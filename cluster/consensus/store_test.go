package consensus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// fill makes a directory with a log and, where at is not 0, a snapshot that ends there.
func fill(t *testing.T, from, to, at uint64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "raft")
	s, err := openStores(Options{Dir: dir, OnFatal: func(err error) { t.Error(err) }, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	if from > 0 {
		if err := s.StoreLogs(entries(from, to)); err != nil {
			t.Fatal(err)
		}
	}
	if at > 0 {
		_, tr := raft.NewInmemTransport("a")
		sink, err := s.snapshots.Create(raft.SnapshotVersionMax, at, 1, raft.Configuration{}, 1, tr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write([]byte("the machine's state")); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// edit changes the log's file behind everyone's back.
func edit(t *testing.T, dir string, change func(*bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "log.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error { return change(tx.Bucket([]byte("logs"))) }); err != nil {
		t.Fatal(err)
	}
}

func key(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }

func flip(i uint64) func(*bbolt.Bucket) error {
	return func(b *bbolt.Bucket) error {
		v := bytes.Clone(b.Get(key(i)))
		at := bytes.Index(v, []byte("entry"))
		v[at] ^= 1
		return b.Put(key(i), v)
	}
}

// damageSnapshot flips a bit of the newest snapshot's state.
func damageSnapshot(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
	if err != nil || len(files) == 0 {
		t.Fatalf("snapshots: %v, %v", files, err)
	}
	name := files[len(files)-1]
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenExaminesWhatIsThere(t *testing.T) {
	for _, tc := range []struct {
		name         string
		from, to, at uint64
		damage       func(t *testing.T, dir string)
		want         error
	}{
		{name: "nothing"},
		{name: "a log", from: 1, to: 20},
		{name: "a log and a snapshot inside it", from: 1, to: 20, at: 10},
		{name: "a log that follows on the snapshot", from: 11, to: 20, at: 10},
		{name: "a snapshot alone", at: 10},
		{name: "a flipped bit in the log", from: 1, to: 20, want: ErrDamaged,
			damage: func(t *testing.T, dir string) { edit(t, dir, flip(7)) }},
		{name: "a missing entry", from: 1, to: 20, want: ErrGap,
			damage: func(t *testing.T, dir string) {
				edit(t, dir, func(b *bbolt.Bucket) error { return b.Delete(key(7)) })
			}},
		{name: "a gap behind the snapshot", from: 12, to: 20, at: 10, want: ErrGap},
		{name: "a log without its snapshot", from: 12, to: 20, want: ErrGap},
		{name: "a snapshot without its description", from: 11, to: 20, at: 10, want: ErrGap,
			damage: func(t *testing.T, dir string) {
				files, _ := filepath.Glob(filepath.Join(dir, "snapshots", "*", "meta.json"))
				if err := os.Remove(files[0]); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "a flipped bit in the snapshot", from: 11, to: 20, at: 10, want: ErrState, damage: damageSnapshot},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := fill(t, tc.from, tc.to, tc.at)
			if tc.damage != nil {
				tc.damage(t, dir)
			}
			s, err := openStores(Options{Dir: dir, OnFatal: func(err error) { t.Error(err) }, Logger: discard})
			if err == nil {
				defer s.close()
			}
			if !errors.Is(err, tc.want) {
				t.Fatalf("open: %v, want %v", err, tc.want)
			}
			if tc.want != nil && (!errors.Is(err, ErrState) || !strings.Contains(err.Error(), "members remove")) {
				t.Errorf("%v does not say what to do", err)
			}
		})
	}
}

// TestLogThatASnapshotReplacedIsDropped is the crash between taking a snapshot in and dropping the log.
func TestLogThatASnapshotReplacedIsDropped(t *testing.T) {
	dir := fill(t, 1, 20, 50)
	s, err := openStores(Options{Dir: dir, OnFatal: func(err error) { t.Error(err) }, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if last, err := s.LastIndex(); err != nil || last != 0 {
		t.Errorf("the log ends at %d, %v", last, err)
	}
	if err := s.StoreLogs(entries(51, 52)); err != nil {
		t.Errorf("the next entries: %v", err)
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	dir := fill(t, 1, 3, 2)
	if err := os.Chmod(dir, 0o755); err != nil { // as an operator may have made it
		t.Fatal(err)
	}
	s, err := openStores(Options{Dir: dir, OnFatal: func(err error) { t.Error(err) }, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "log.db"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
		}
	}
}
