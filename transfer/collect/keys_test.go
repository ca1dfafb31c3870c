package collect

import (
	"encoding/binary"
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/repository"
)

// A list that is as long as it may be can be read again, whatever comes together in it: one that cannot be would hold up its repository for ever.
func TestTheLongestListCanBeRead(t *testing.T) {
	k, err := repository.NewKeys("0123456789abcdef", 1)
	if err != nil {
		t.Fatal(err)
	}
	r := &Run{Options: Options{Repository: &repository.Repository{Options: repository.Options{Keys: k}}}}
	var made uint64
	objects := func(kind byte, n int) (out []repository.Object) {
		for range n {
			made++
			out = append(out, repository.Object{Kind: kind, Epoch: made, ID: digest.Of(binary.BigEndian.AppendUint64(nil, made))})
		}
		return out
	}
	dead, superseded, forgotten := objects('p', maxDead), objects('i', maxSegments+3), objects('v', 10)
	l, err := DecodeList(NewList(r.keys(dead, superseded, forgotten)).Encode(), k)
	if err != nil || l.Len() != MaxKeys {
		t.Fatalf("%d keys, %v", l.Len(), err)
	}
	for _, o := range append(dead, superseded[:maxSegments]...) {
		if !l.Contains(r.relative(o)) {
			t.Fatalf("%+v has left the segments, and is not in the list", o)
		}
	}
}
