package seeding

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/replicate"
	"loggia/transfer/repository"
)

// one is a holding of a chunk.
type one struct{ asked int }

func (o *one) LookupAll(_ []chunk.ID, found func(i int, loc index.Location) error) error {
	o.asked++
	return found(0, index.Location{})
}

func (o *one) ReadFrames(context.Context, []index.Location, repository.ReadOptions, repository.UseFrame) error {
	return nil
}

func (o *one) ReadFrame(context.Context, index.Location, []byte) ([]byte, error) { return nil, nil }

func TestASeedEndsWithItsCopy(t *testing.T) {
	r, h := New(), &one{}
	s := r.Begin("disk", h, replicate.NewShare(3))
	found := 0
	count := func(int, index.Location) error { found++; return nil }
	if err := r.Of("disk").LookupAll(make([]chunk.ID, 1), count); err != nil || found != 1 {
		t.Errorf("%d found, %v", found, err)
	}
	next := r.Begin("disk", h, replicate.NewShare(4))
	s.End()
	if r.Of("disk") != next {
		t.Error("the end of an older copy took the newer one away")
	}
	if err := s.LookupAll(make([]chunk.ID, 1), count); err != nil || found != 1 || h.asked != 1 {
		t.Errorf("after its end %d found, %d asked, %v", found, h.asked, err)
	}
	next.End()
	if r.Of("disk") != nil {
		t.Error("an ended copy is still there")
	}
}

// Whoever asks for a copy that is not there yet waits a little, so as not to ask at once again, and hears nothing.
func TestNoCopyHasNoPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, began, m := New(), time.Now(), replicate.Mark{Epoch: 7, Seq: 2}
		if h := r.Have(t.Context(), "disk", m); h.Mark != m || len(h.Spans) != 0 {
			t.Errorf("got %+v", h)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
		s := r.Begin("disk", &one{}, replicate.NewShare(9))
		defer s.End()
		if h := r.Have(t.Context(), "disk", m); h.Epoch != 9 {
			t.Errorf("got %+v, want the copy's epoch", h)
		}
	})
}
