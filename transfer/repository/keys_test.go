package repository

import (
	"errors"
	"strings"
	"testing"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/memory"
	"loggia/internal/digest"
	"loggia/transfer/pack"
)

// The layout of version 1. It never changes.
func TestGoldenKeys(t *testing.T) {
	k, err := NewKeys("0b6e3f5c-58a4-4d26-9f3e-0d8a1f2b3c4d", 2)
	if err != nil {
		t.Fatal(err)
	}
	id := digest.Of(nil)
	prefix := "0b6e3f5c-58a4-4d26-9f3e-0d8a1f2b3c4d/2/"
	for got, want := range map[string]string{
		k.Pack(pack.Data, 0xabc, id):  "p/0000000000000abc/" + id.String(),
		k.Pack(pack.Nodes, 0xabc, id): "m/0000000000000abc/" + id.String(),
		k.Segment(1, id):              "i/0000000000000001/" + id.String(),
		k.Version(1, id):              "v/0000000000000001/" + id.String(),
		k.Checkpoint(1, 0x1f):         "u/0000000000000001/000000000000001f",
		k.Condemned(1<<63+5, id):      "g/8000000000000005/" + id.String(),
	} {
		if got != prefix+want {
			t.Errorf("key %s, want %s", got, prefix+want)
		}
		if err := blobstore.CheckKey(got); err != nil {
			t.Error(err)
		}
		if o, err := k.Parse(got); err != nil || k.Of(o) != got {
			t.Errorf("Parse(%s) = %+v, %v", got, o, err)
		}
	}
}

func TestDomainsThatAreNoKeys(t *testing.T) {
	for _, domain := range []string{"", "..", "tenant-name", "ABCDEF01", "../../../../", strings.Repeat("a", 81), "0123456/89", "-abcdef01", "abcd.ef0"} {
		if _, err := NewKeys(domain, 0); !errors.Is(err, ErrKey) {
			t.Errorf("NewKeys(%q): %v, want ErrKey", domain, err)
		}
	}
	if _, err := NewKeys("abcdef01", -1); !errors.Is(err, ErrKey) {
		t.Errorf("slot -1: %v, want ErrKey", err)
	}
}

func TestGoldenVersionRecord(t *testing.T) {
	id := digest.Of(nil)
	v := Version{Root: id, Table: id, Length: 4096, Segments: []SegmentRef{{Epoch: 0x1f, ID: id, Size: 123, Chunks: 45}}}
	want := `{"format":1,"root":"` + id.String() + `","table":"` + id.String() + `","length":4096,"segments":[{"epoch":"000000000000001f","id":"` +
		id.String() + `","size":123,"chunks":45}]}` + "\n"
	b, err := v.encode()
	if err != nil || string(b) != want {
		t.Errorf("record %s, %v, want %s", b, err, want)
	}
	for _, bad := range []string{"", "{}", `{"format":2}`, `{"format":1,"segments":[{"epoch":"xyz"}]}`, want[:50]} {
		if _, err := decodeVersion([]byte(bad)); !errors.Is(err, ErrDamaged) {
			t.Errorf("decodeVersion(%s): %v, want ErrDamaged", bad, err)
		}
	}
}

func FuzzVersionRecord(f *testing.F) {
	b, err := Version{Root: digest.Of(nil), Segments: []SegmentRef{{Epoch: 1, ID: digest.Of(nil), Size: 1, Chunks: 2}}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := decodeVersion(b); err == nil {
			if _, err := v.encode(); err != nil && len(b) <= maxRecord/2 {
				t.Error(err)
			}
		}
	})
}

func TestIdentity(t *testing.T) {
	ctx := t.Context()
	s := memory.New(time.Now, 0)
	id := Identity{Cluster: "c", Generation: 1, Region: "r", Store: "s"}
	if err := CheckIdentity(ctx, s, id); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("new store: %v, want ErrNoIdentity", err)
	}
	for range 2 {
		if err := WriteIdentity(ctx, s, id); err != nil {
			t.Fatal(err)
		}
	}
	b, err := readAll(ctx, s, IdentityKey, 1000)
	if want := `{"format":1,"cluster":"c","generation":1,"region":"r","store":"s"}` + "\n"; err != nil || string(b) != want {
		t.Errorf("loggia.json = %s, %v, want %s", b, err, want)
	}
	if err := CheckIdentity(ctx, s, id); err != nil {
		t.Errorf("own store: %v", err)
	}
	next := id
	next.Generation = 2
	if err := CheckIdentity(ctx, s, next); !errors.Is(err, ErrIdentity) {
		t.Errorf("older generation: %v, want ErrIdentity", err)
	}
	if err := WriteIdentity(ctx, s, next); err != nil {
		t.Errorf("next generation: %v", err)
	}
	if err := WriteIdentity(ctx, s, id); !errors.Is(err, ErrIdentity) {
		t.Errorf("back to an older generation: %v, want ErrIdentity", err)
	}
	other := next
	other.Cluster = "d"
	if err := WriteIdentity(ctx, s, other); !errors.Is(err, ErrIdentity) {
		t.Errorf("another cluster: %v, want ErrIdentity", err)
	}
	for _, bad := range []string{"", "{", `{"format":2}`, `{"format":1,"owner":"x"}`, strings.Repeat(" ", maxIdentity+1)} {
		if err := s.Put(ctx, IdentityKey, []byte(bad)); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadIdentity(ctx, s); !errors.Is(err, ErrIdentityFormat) {
			t.Errorf("loggia.json %.20q: %v, want ErrIdentityFormat", bad, err)
		}
		if err := WriteIdentity(ctx, s, id); !errors.Is(err, ErrIdentityFormat) {
			t.Errorf("over loggia.json %.20q: %v, want ErrIdentityFormat", bad, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	k, err := NewKeys("0b6e3f5c-58a4-4d26-9f3e-0d8a1f2b3c4d", 2)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Pack(pack.Data, 1, digest.Of(nil)))
	f.Add(k.Checkpoint(7, 9))
	f.Add(k.Prefix() + "p/1/2")
	f.Add("x/../" + k.Prefix())
	f.Fuzz(func(t *testing.T, key string) {
		o, err := k.Parse(key)
		if err != nil {
			if !errors.Is(err, ErrKey) {
				t.Fatal(err)
			}
			return
		}
		if k.Of(o) != key {
			t.Fatalf("%q is read as %+v", key, o)
		}
	})
}
