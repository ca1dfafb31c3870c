package imports

import (
	"fmt"
	"testing"

	"loggia/blobstore"
	"loggia/gallery"
)

// TestReasonOfAStoreThatIsFull: an upload says of a full store that it is a limit, as it does of a source that is too large. Only the
// latter is the source's fault, and final.
func TestReasonOfAStoreThatIsFull(t *testing.T) {
	limit := &gallery.Error{Kind: gallery.ErrLimit, Op: "upload"}
	if r, final := reasonOf(fmt.Errorf("send batch: %w", limit)); r != gallery.ReasonSourceInvalid || !final {
		t.Errorf("a limit: %s, final %v", r, final)
	}
	limit.Err = fmt.Errorf("put: %w", blobstore.ErrFull)
	if r, final := reasonOf(fmt.Errorf("send batch: %w", limit)); r != gallery.ReasonStoreFull || final {
		t.Errorf("a full store: %s, final %v", r, final)
	}
}
