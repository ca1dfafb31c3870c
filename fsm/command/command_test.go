package command

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loggia/gallery"
	"loggia/internal/digest"
)

var at = Header{RequestID: "r", Principal: "p", Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}

func TestRoundTrip(t *testing.T) {
	body := &RegionPut{Region: gallery.Region{Name: "north-1", Display: "North 1"}}
	b, err := Encode(at, body)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	want := Envelope{Header: at, Kind: KindRegionPut, Version: 1, Body: body}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, x := range map[string]struct {
		h    Header
		c    Command
		kind gallery.Kind
	}{
		"bad region":                 {at, &RegionPut{Region: gallery.Region{Name: "North"}}, gallery.ErrInvalid},
		"no id":                      {at, &NodeRemove{}, gallery.ErrInvalid},
		"long request":               {Header{RequestID: strings.Repeat("x", MaxRequestID+1), Time: at.Time}, &ExpireClaims{}, gallery.ErrInvalid},
		"no time":                    {Header{}, &ExpireClaims{}, gallery.ErrInvalid},
		"far time":                   {Header{Time: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, &ExpireClaims{}, gallery.ErrInvalid},
		"too large":                  {at, &GalleryPut{Gallery: wide()}, gallery.ErrLimit},
		"most segments, and it fits": {at, &RepositoryCompact{Repository: someRepository, Add: segments(MaxSegmentChange), Remove: digests(MaxSegmentChange)}, ""},
		"many segments":              {at, &RepositoryCompact{Repository: someRepository, Add: segments(MaxSegmentChange + 1)}, gallery.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Encode(x.h, x.c); gallery.KindOf(err) != x.kind {
				t.Errorf("got %v, want %s", err, x.kind)
			}
		})
	}
}

const someID = "aaaaaaaa-0000-4000-8000-000000000001"

var someOperation = &gallery.OperationStart{ID: someID, Subscription: someID, Tenant: someID, Location: "a", Kind: gallery.OperationCreate,
	Resource: "/subscriptions/" + someID}

var someRepository = gallery.RepositoryKey{Store: someID, Slot: 1, Domain: someID}

// wide is a valid gallery that is larger than a command may be.
func wide() gallery.Gallery {
	g := gallery.Gallery{Ref: gallery.GalleryRef{Subscription: someID, Gallery: "g"}, Tenant: someID, ResourceGroup: "default", Location: "a", Tags: map[string]string{}}
	for i := range gallery.MaxTags {
		g.Tags[strings.Repeat("k", gallery.MaxTagKey-1)+string(rune('0'+i))] = strings.Repeat("v", gallery.MaxTagValue)
	}
	return g
}

func segments(n int) []gallery.Segment {
	out := make([]gallery.Segment, n)
	for i := range out {
		out[i] = gallery.Segment{Epoch: 1 << 40, ID: digest.Of([]byte{byte(i), byte(i >> 8)}), Size: 1 << 40, Chunks: 1 << 40}
	}
	return out
}

func digests(n int) []digest.Digest {
	var out []digest.Digest
	for _, s := range segments(n) {
		out = append(out, s.ID)
	}
	return out
}

func TestDecodeRefuses(t *testing.T) {
	good, err := Encode(at, &ExpireClaims{})
	if err != nil {
		t.Fatal(err)
	}
	extra, err := Marshal(map[int]any{1: KindExpireClaims, 2: 1, 5: at.Time, 6: map[int]int{99: 1}})
	if err != nil {
		t.Fatal(err)
	}
	newer, err := Marshal(map[int]any{1: KindExpireClaims, 2: 2, 5: at.Time, 6: map[int]int{}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "cut": good[:len(good)-1], "more": append(bytes.Clone(good), 0), "unknown field": extra,
		"newer version": newer, "too long": make([]byte, MaxSize+1)} {
		if _, err := Decode(b); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

// TestResults walks every kind's result type through the wire.
func TestResults(t *testing.T) {
	for _, d := range Defs() {
		r := Result{Kind: d.Kind, Index: 7}
		if d.result != nil {
			r.Value = d.result()
			n := 0
			fill(reflect.ValueOf(r.Value).Elem(), &n, CurrentVersion)
		}
		b, err := EncodeResult(r)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		got, err := DecodeResult(b)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("%s: %s", d.Name, diff)
		}
	}
	failed := Result{Kind: KindVersionPut, Index: 9, Err: &gallery.Error{Kind: gallery.ErrStaleClaim, Op: "o", Resource: "r", Field: "f", Message: "m"}}
	b, err := EncodeResult(failed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeResult(b)
	if err != nil || !errors.Is(got.Failure(), gallery.ErrConflict) || *got.Err != *failed.Err {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFatalError(t *testing.T) {
	var e error = &FatalError{Index: 3, Err: ErrUnknownKind}
	var f interface{ Fatal() bool }
	if !errors.As(e, &f) || !f.Fatal() || !errors.Is(e, ErrUnknownKind) {
		t.Error(e)
	}
}

// TestNeeds holds that fields and headers of a later cluster version are not proposed before it, nor written under the first version
// of their kind.
func TestNeeds(t *testing.T) {
	plain := &VersionDelete{Ref: gallery.VersionRef{ImageRef: gallery.ImageRef{GalleryRef: gallery.GalleryRef{Subscription: someID, Gallery: "g"}, Image: "i"}}}
	app := *plain
	app.Ref.Kind = gallery.ArtifactApplication
	for _, x := range []struct {
		name    string
		h       Header
		c       Command
		needs   uint32
		version uint16
	}{
		{"old fields", at, plain, 1, 1},
		{"new field", at, &app, 2, 2},
		{"with an operation", Header{RequestID: "r", Time: at.Time, Operation: someOperation}, plain, 2, 1},
	} {
		b, err := Encode(x.h, x.c)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		e, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		if n := Needs(x.h, x.c); n != x.needs || e.Version != x.version {
			t.Errorf("%s: needs %d in version %d, want %d in %d", x.name, n, e.Version, x.needs, x.version)
		}
	}
	raw, err := Marshal(&app)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Marshal(envelope{KindVersionDelete, 1, "r", "p", at.Time, raw, nil})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(b); err == nil {
		t.Error("a new field under the first version was decoded")
	}
}

func TestAllowed(t *testing.T) {
	if !Allowed(KindVersionPut, 1) || Allowed(KindVersionPut, 0) || Allowed(60000, 1) {
		t.Error("kinds are allowed from their cluster version on")
	}
}

func FuzzDecode(f *testing.F) {
	for _, d := range Defs() {
		raw, err := Marshal(filled(d, d.Version))
		if err != nil {
			f.Fatal(err)
		}
		b, err := Marshal(envelope{d.Kind, d.Version, "r", "p", at.Time, raw, someOperation})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			return
		}
		if e.Body.Check() != nil || e.Operation != nil && e.Operation.Validate() != nil {
			return // the machine refuses it
		}
		again, err := Encode(e.Header, e.Body)
		if err != nil {
			if errors.Is(err, gallery.ErrLimit) {
				return
			}
			t.Fatalf("decoded and cannot be encoded: %v", err)
		}
		e2, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, e2); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzDecodeResult(f *testing.F) {
	f.Add([]byte{0xa2, 1, 0x18, 80, 2, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := DecodeResult(b); err == nil {
			if _, err := EncodeResult(r); err != nil {
				t.Fatal(err)
			}
		}
	})
}
