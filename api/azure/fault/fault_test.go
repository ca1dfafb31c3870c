package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
)

func TestStatus(t *testing.T) {
	for code, want := range map[Code]int{
		InvalidParameter: 400, InvalidToken: 401, AuthorizationFailed: 403, ResourceNotFound: 404, CannotDelete: 409, PreconditionFailed: 412,
		TooManyRequests: 429, ServiceUnavailable: 503, "Unheard": 500,
	} {
		if got := code.Status(); got != want {
			t.Errorf("%s: got %d, want %d", code, got, want)
		}
	}
}

func TestJoin(t *testing.T) {
	if Join() != nil {
		t.Error("no faults made one")
	}
	a, b := At(InvalidParameter, "properties.x", "at most %d", 3), New(LocationRequired, "say where")
	if got := Join(a); got != a {
		t.Errorf("one fault became %v", got)
	}
	got, err := json.Marshal(Join(a, b))
	want := `{"code":"InvalidParameter","message":"at most 3","target":"properties.x","details":[{"code":"InvalidParameter","message":"at most 3","target":"properties.x"},{"code":"LocationRequired","message":"say where"}]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if err := fmt.Errorf("wrapped: %w", a); !errors.Is(err, New(InvalidParameter, "")) || errors.Is(err, b) {
		t.Error("a fault is not known by its code")
	}
}

// TestEveryCodeHasAStatus reads the codes out of the source: one without a status would be answered 500.
func TestEveryCodeHasAStatus(t *testing.T) {
	src, err := os.ReadFile("fault.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)Code = "(\w+)"`).FindAllStringSubmatch(string(src), -1)
	for _, m := range found {
		if _, ok := statuses[Code(m[1])]; !ok {
			t.Errorf("%s has no status", m[1])
		}
	}
	if len(found) != len(statuses) {
		t.Errorf("%d codes, %d statuses", len(found), len(statuses))
	}
}
