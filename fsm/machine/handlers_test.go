package machine

import (
	"testing"

	"loggia/fsm/command"
)

func TestEveryKindHasAHandler(t *testing.T) {
	for _, d := range command.Defs() {
		if handlers[d.Kind] == nil {
			t.Errorf("%s has none", d.Name)
		}
	}
	if len(handlers) != len(command.Defs()) {
		t.Errorf("%d handlers, %d kinds", len(handlers), len(command.Defs()))
	}
}
