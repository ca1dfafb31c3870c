package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"loggia/blobstore"
)

// treacherous is in byte order, which is not the order in which folders are walked: '-' and '.'
// sort before '/', digits and letters after it.
var treacherous = []string{
	"a-b", "a-b-c", "a.b", "a/a", "a/b-c", "a/b.c", "a/b/c", "a/b/d", "a/b0", "a0", "aa", "b/0/x", "b/00/x", "b/1/x",
}

func fill(t *testing.T, s blobstore.Store, keys []string) {
	t.Helper()
	for _, i := range random(t).Perm(len(keys)) {
		put(t, s, keys[i], content(keys[i], i))
	}
}

func testListOrder(t *testing.T, s blobstore.Store) {
	if got := list(t, s, "", ""); len(got) != 0 {
		t.Fatalf("an empty store lists %q", got)
	}
	fill(t, s, treacherous)
	if got := list(t, s, "", ""); !slices.Equal(got, treacherous) {
		t.Errorf("list:\n got %q\nwant %q", got, treacherous)
	}
	sizes := map[string]int64{}
	err := s.List(within(t), "", "", func(i blobstore.Info) error {
		sizes[i.Key] = i.Size
		return nil
	})
	for i, key := range treacherous {
		if sizes[key] != int64(i) {
			t.Errorf("list shows %d bytes for %s, want %d (%v)", sizes[key], key, i, err)
		}
	}
}

func testListPrefixAfter(t *testing.T, s blobstore.Store) {
	fill(t, s, treacherous)
	prefixes := []string{"", "a", "a/", "a/b", "a/b/", "a/b/c", "a/b/cc", "b", "b/0", "b/0/", "c", "a-", "A", "a//"}
	afters := []string{"", "a", "a-b", "a-b-b", "a.", "a/", "a/b", "a/b/", "a/b/c", "a/b/d", "a/b0", "b", "b/0/x", "b/1/x", "zz"}
	for _, prefix := range prefixes {
		for _, after := range afters {
			want := []string{}
			for _, key := range treacherous {
				if key > after && strings.HasPrefix(key, prefix) {
					want = append(want, key)
				}
			}
			if got := list(t, s, prefix, after); !slices.Equal(got, want) {
				t.Errorf("list %q after %q:\n got %q\nwant %q", prefix, after, got, want)
			}
		}
	}
}

// testListMany needs more than one page of any S3 service (1,000 keys).
func testListMany(t *testing.T, s blobstore.Store) {
	keys := make([]string, 0, 1100)
	for i := range 1100 {
		keys = append(keys, keyf("%d/m-%d", i%3, i))
	}
	slices.Sort(keys)
	parallel(t, 16, len(keys), func(i int) error { return s.Put(within(t), keys[i], []byte{1}) })
	if got := list(t, s, "", ""); !slices.Equal(got, keys) {
		t.Errorf("list shows %d keys, want %d in order", len(got), len(keys))
	}
	if got := list(t, s, "1/", keys[550]); !slices.Equal(got, after(keys, "1/", keys[550])) {
		t.Errorf("list of a part shows %d keys", len(got))
	}
}

func after(keys []string, prefix, after string) []string {
	found := []string{}
	for _, key := range keys {
		if key > after && strings.HasPrefix(key, prefix) {
			found = append(found, key)
		}
	}
	return found
}

func testListStops(t *testing.T, s blobstore.Store) {
	fill(t, s, treacherous)
	stop := errors.New("stop")
	var seen []string
	err := s.List(within(t), "", "", func(i blobstore.Info) error {
		seen = append(seen, i.Key)
		if len(seen) == 5 {
			return stop
		}
		return nil
	})
	if err != stop { // as it is: callers compare
		t.Errorf("got error %v, want the function's own", err)
	}
	if !slices.Equal(seen, treacherous[:5]) {
		t.Errorf("saw %q, want %q", seen, treacherous[:5])
	}
	// Deleting what is listed, while it is listed, is what the collector does.
	err = s.List(within(t), "", "", func(i blobstore.Info) error { return s.Delete(within(t), i.Key) })
	if err != nil {
		t.Errorf("deleting while listing: %v", err)
	}
	if got := list(t, s, "", ""); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}
