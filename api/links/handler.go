package links

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"loggia/api/respond"
	"loggia/gallery"
)

// File is what a link shows: a disk in one format.
type File struct {
	io.ReaderAt
	Size    int64
	Name    string // with its suffix
	ETag    string // without quotes; it follows from the content and the format
	Made    time.Time
	Release func()
}

// Disks opens what links lead to.
type Disks interface {
	// Open opens the disk of a snapshot for an access that stands, as a fixed VHD or raw. Errors: gallery.ErrNotFound where there is none, or it was
	// taken back; gallery.ErrUnavailable where this region has no copy.
	Open(ctx context.Context, ref gallery.SnapshotRef, access gallery.AccessID, raw bool) (File, error)
}

// Handler serves Path: GET and HEAD, with ranges. No token is asked for: the link is the right.
func Handler(s *Signer, d Disks, now func() time.Time, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		ref, access, err := s.Read(strings.TrimPrefix(r.URL.Path, Path), now())
		var file File
		if err == nil {
			file, err = d.Open(r.Context(), ref, access, strings.EqualFold(r.URL.Query().Get("format"), "raw"))
		}
		switch {
		case errors.Is(err, errLink), errors.Is(err, gallery.ErrNotFound):
			http.Error(w, errLink.Error(), http.StatusForbidden)
			return
		case err != nil:
			nameless := r.Clone(r.Context())
			nameless.URL.Path = Path // a link is a secret: it must not come into the log
			respond.Error(log, w, nameless, err)
			return
		}
		defer file.Release()
		serve(w, r, file, log)
	})
}

func serve(w http.ResponseWriter, r *http.Request, f File, log *slog.Logger) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+f.ETag+`"`)
	w.Header().Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	w.Header().Set("Cache-Control", "private, no-cache")
	body := &tracked{SectionReader: io.NewSectionReader(f, 0, f.Size)}
	http.ServeContent(w, r, "", f.Made, body)
	if body.err != nil && r.Context().Err() == nil {
		// The length was promised: ending the connection is how the other side learns that this is not all.
		log.Error("a disk could not be read for a link", "name", f.Name, "error", body.err)
		panic(http.ErrAbortHandler)
	}
}

// tracked remembers why reading failed.
type tracked struct {
	*io.SectionReader
	err error
}

func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.SectionReader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}
