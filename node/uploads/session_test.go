package uploads

import (
	"errors"
	"testing"
	"time"

	"loggia/api/v1"
	"loggia/gallery"
)

// TestNothingIsOpenedInASessionThatIsOver: two requests that open an upload at once share a session. Where the first fails, or the
// session is closed for another reason before the second has its turn, nobody would close what the second opened in it.
func TestNothingIsOpenedInASessionThatIsOver(t *testing.T) {
	const id = "6f6b5c9e-0000-4000-8000-000000000001"
	u := New(Options{Now: time.Now})
	first, err := u.claim(id)
	if err != nil {
		t.Fatal(err)
	}
	second, err := u.claim(id)
	if err != nil || second != first {
		t.Fatalf("another session, or %v", err)
	}
	u.drop(id, first)
	if err := u.begin(t.Context(), second, v1.UploadRequest{ID: id}, &gallery.Upload{ID: id}); !errors.Is(err, gallery.ErrElsewhere) {
		t.Errorf("got %v, want ErrElsewhere", err)
	}
	if third, err := u.claim(id); err != nil || third == first {
		t.Errorf("the upload cannot be opened again: %v", err)
	}
}
