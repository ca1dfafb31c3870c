package turns

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"loggia/fsm/machine"
)

// TestPokeEndsTheRest: a store that comes into service is nothing that the state tells of.
func TestPokeEndsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		_, watch := machine.New().Watched()
		began := time.Now()
		time.AfterFunc(time.Second, l.Poke)
		l.rest(t.Context(), watch, idle)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it rested for %s", took)
		}
		l.rest(t.Context(), watch, idle)
		if took := time.Since(began); took != time.Second+idle {
			t.Errorf("unasked it rested until %s", took)
		}
	})
}
