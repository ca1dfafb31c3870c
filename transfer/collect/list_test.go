package collect

import (
	"errors"
	"strings"
	"testing"

	"loggia/blobstore"
	"loggia/blobstore/filesystem"
	"loggia/blobstore/storetest"
	"loggia/internal/digest"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

func keys(t testing.TB) repository.Keys {
	k, err := repository.NewKeys("0123456789abcdef", 1)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The bytes of version 1. They never change.
func TestGoldenList(t *testing.T) {
	k := keys(t)
	id := digest.Of(nil)
	rel := func(key string) string { return strings.TrimPrefix(key, k.Prefix()) }
	l := NewList([]string{rel(k.Pack(pack.Data, 7, id)), rel(k.Checkpoint(7, 1)), rel(k.Pack(pack.Data, 7, id))})
	want := "loggia condemned keys 1\n" + "p/0000000000000007/" + id.String() + "\nu/0000000000000007/0000000000000001\n"
	if got := string(l.Encode()); got != want {
		t.Errorf("list %q, want %q", got, want)
	}
	back, err := DecodeList([]byte(want), k)
	if err != nil || back.Len() != 2 || !back.Contains(rel(k.Checkpoint(7, 1))) || back.Contains(rel(k.Checkpoint(7, 2))) {
		t.Errorf("read back %+v, %v", back, err)
	}
	for _, bad := range []string{"", listHeader + "x", listHeader + "p/1/2\n", want + "p/0000000000000007/" + id.String() + "\n", want + want} {
		if _, err := DecodeList([]byte(bad), k); !errors.Is(err, ErrList) {
			t.Errorf("DecodeList(%q): %v", bad, err)
		}
	}
	if _, err := DecodeList([]byte(listHeader), k); err != nil {
		t.Errorf("an empty list: %v", err)
	}
}

func FuzzDecodeList(f *testing.F) {
	k := keys(f)
	id := digest.Of(nil)
	f.Add([]byte(listHeader))
	f.Add([]byte(listHeader + "p/0000000000000007/" + id.String() + "\nu/0000000000000007/0000000000000001\n"))
	f.Add([]byte(listHeader + "../x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := DecodeList(b, k)
		if err != nil {
			if !errors.Is(err, ErrList) {
				t.Fatal(err)
			}
			return
		}
		if string(l.Encode()) != string(b) {
			t.Fatalf("%q is read as %q", b, l.Encode())
		}
	})
}

// TestPaceContract holds that the decorator keeps the contract of stores.
func TestPaceContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) blobstore.Store {
		s, err := filesystem.Open(t.TempDir(), filesystem.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return Pace(s, Rates{Requests: 1 << 20, Bytes: 1 << 40})
	})
}
