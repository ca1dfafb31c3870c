package state

import (
	"fmt"
	"time"

	"github.com/hashicorp/go-memdb"

	"loggia/gallery"
)

// Request is the remembered outcome of a command with a request id (M2).
type Request struct {
	ID     string    `cbor:"1,keyasint"`
	Index  uint64    `cbor:"2,keyasint"` // of the first entry
	Kind   uint16    `cbor:"3,keyasint"`
	Time   time.Time `cbor:"4,keyasint"` // of the state when it was applied
	Result []byte    `cbor:"5,keyasint"` // command.EncodeResult
}

// Row is what a table can hold.
type Row interface {
	gallery.Cluster | gallery.Region | gallery.Store | gallery.Node | gallery.AccessToken | gallery.JoinToken |
		gallery.Gallery | gallery.Image | gallery.ImageVersion | gallery.Disk | gallery.Replica | gallery.Upload |
		gallery.Repository | gallery.Tombstone | Request | gallery.Tenant | gallery.Subscription | gallery.ResourceGroup |
		gallery.Principal | gallery.RoleDefinition | gallery.RoleAssignment | gallery.Issuer | gallery.SigningKey |
		gallery.Operation | gallery.Snapshot | gallery.Limit | gallery.Distance
}

// table describes one table: its key and its further indexes. Tables are constants.
type table[T Row] struct {
	name    string
	key     func(*T) []byte
	indexes []index[T]
}

// index is a further way to look rows up. A row whose value is nil is left out of it.
type index[T Row] struct {
	name   string
	unique bool
	values func(*T) [][]byte
}

func one[T Row](name string, unique bool, f func(*T) []byte) index[T] {
	return index[T]{name, unique, func(r *T) [][]byte {
		if v := f(r); v != nil {
			return [][]byte{v}
		}
		return nil
	}}
}

func (t *table[T]) schema() *memdb.TableSchema {
	s := &memdb.TableSchema{Name: t.name, Indexes: map[string]*memdb.IndexSchema{
		"id": {Name: "id", Unique: true, Indexer: keyIndexer[T]{t.key}},
	}}
	for _, x := range t.indexes {
		s.Indexes[x.name] = &memdb.IndexSchema{Name: x.name, Unique: x.unique, AllowMissing: true, Indexer: valuesIndexer[T]{x.values}}
	}
	return s
}

// exact takes a ready key; as a prefix it is the same bytes.
type exact struct{}

func (exact) FromArgs(args ...any) ([]byte, error) {
	if len(args) == 1 {
		if b, ok := args[0].([]byte); ok {
			return b, nil
		}
	}
	return nil, fmt.Errorf("want one key, got %d arguments", len(args))
}

func (e exact) PrefixFromArgs(args ...any) ([]byte, error) { return e.FromArgs(args...) }

type keyIndexer[T Row] struct{ key func(*T) []byte }

func (keyIndexer[T]) FromArgs(args ...any) ([]byte, error) { return exact{}.FromArgs(args...) }

func (keyIndexer[T]) PrefixFromArgs(args ...any) ([]byte, error) { return exact{}.FromArgs(args...) }

func (x keyIndexer[T]) FromObject(obj any) (bool, []byte, error) {
	row, ok := obj.(*T)
	if !ok {
		return false, nil, fmt.Errorf("a %T in the wrong table", obj)
	}
	return true, x.key(row), nil
}

type valuesIndexer[T Row] struct{ values func(*T) [][]byte }

func (valuesIndexer[T]) FromArgs(args ...any) ([]byte, error) { return exact{}.FromArgs(args...) }

func (valuesIndexer[T]) PrefixFromArgs(args ...any) ([]byte, error) { return exact{}.FromArgs(args...) }

func (x valuesIndexer[T]) FromObject(obj any) (bool, [][]byte, error) {
	row, ok := obj.(*T)
	if !ok {
		return false, nil, fmt.Errorf("a %T in the wrong table", obj)
	}
	v := x.values(row)
	return len(v) > 0, v, nil
}
