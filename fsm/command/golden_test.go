package command

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loggia/gallery"
	"loggia/internal/digest"
)

// fill sets every field under v to a value that is not zero and depends only on the order of the fields, so that a golden file shows
// each key in use. Fields that came after the cluster version `upto` stay empty and are not counted.
func fill(v reflect.Value, n *int, upto uint32) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, *n*1000, time.UTC)))
		return
	case digest.Digest:
		v.Set(reflect.ValueOf(digest.Of([]byte{byte(*n)})))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if since(v.Type().Field(i)) <= upto {
				fill(v.Field(i), n, upto)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n, upto)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n, upto)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"b": "2", "a": "1"}))
	case reflect.String:
		v.SetString(fmt.Sprintf("text%d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	default:
		panic(v.Kind())
	}
}

// filled returns a body of a version of a kind with every field in use.
func filled(d Def, version uint16) Command {
	c := d.body()
	n := 0
	upto := d.Since
	if version > 1 {
		upto = d.grew[version-2]
	}
	fill(reflect.ValueOf(c).Elem(), &n, upto)
	return c
}

func goldenPath(d Def, version uint16) string {
	return filepath.Join("testdata", fmt.Sprintf("%03d.%s.v%d.hex", d.Kind, d.Name, version))
}

// TestGolden holds the bytes of every version of every kind ever released. A file is written once, with LOGGIA_GOLDEN=new, and
// never changed: other bytes need another version of the kind.
func TestGolden(t *testing.T) {
	for _, d := range Defs() {
		for version := uint16(1); version <= d.Version; version++ {
			t.Run(fmt.Sprintf("%s.v%d", d.Name, version), func(t *testing.T) { golden(t, d, version) })
		}
	}
}

func golden(t *testing.T, d Def, version uint16) {
	body := filled(d, version)
	raw, err := Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Marshal(envelope{d.Kind, version, "request", "principal", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), raw, nil})
	if err != nil {
		t.Fatal(err)
	}
	want := readGolden(t, goldenPath(d, version), got)
	if !bytes.Equal(got, want) {
		t.Errorf("encoding changed:\n got %x\nwant %x", got, want)
	}
	e, err := Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(body, e.Body); diff != "" {
		t.Errorf("decoded body differs (-want +got):\n%s", diff)
	}
}

// TestGoldenOperation holds the bytes of a header that asks for an operation.
func TestGoldenOperation(t *testing.T) {
	var start gallery.OperationStart
	n := 0
	fill(reflect.ValueOf(&start).Elem(), &n, operationsSince)
	raw, err := Marshal(&ExpireClaims{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Marshal(envelope{KindExpireClaims, 1, "request", "principal", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), raw, &start})
	if err != nil {
		t.Fatal(err)
	}
	want := readGolden(t, filepath.Join("testdata", "000.header.operation.hex"), got)
	if !bytes.Equal(got, want) {
		t.Errorf("encoding changed:\n got %x\nwant %x", got, want)
	}
	e, err := Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&start, e.Operation); diff != "" {
		t.Errorf("decoded operation differs (-want +got):\n%s", diff)
	}
}

func readGolden(t *testing.T, path string, create []byte) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("LOGGIA_GOLDEN") == "new" {
		if err := os.WriteFile(path, []byte(hex.EncodeToString(create)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return create
	}
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// TestGoldenComplete holds that kinds only grow: each file still has its kind, and it still decodes.
func TestGoldenComplete(t *testing.T) {
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < len(Defs()) {
		t.Errorf("%d golden files for %d kinds", len(files), len(Defs()))
	}
	for _, f := range files {
		if _, err := Decode(readGolden(t, f, nil)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}
