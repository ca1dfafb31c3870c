package data

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"loggia/api/authz"
	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/gallery"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/publish"
	"loggia/transfer/wire"
)

// Handler serves the routes of package v1 that carry bytes.
func Handler(u Uploads, d Disks, guard *authz.Guard, log *slog.Logger) http.Handler {
	h := &handler{u: u, d: d, log: log}
	mux := guard.Mux()
	mux.HandleFunc("POST", "/v1/uploads", h.open)
	mux.HandleFunc("GET", "/v1/uploads/{id}", h.get)
	mux.HandleFunc("POST", "/v1/uploads/{id}/open", h.take)
	mux.HandleFunc("GET", "/v1/uploads/{id}/known", h.known)
	mux.HandleFunc("GET", "/v1/uploads/{id}/spans", h.spans)
	mux.HandleFunc("POST", "/v1/uploads/{id}/batches", h.batch)
	mux.HandleFunc("POST", "/v1/uploads/{id}/commit", h.commit)
	mux.HandleFunc("DELETE", "/v1/uploads/{id}", h.abandon)
	mux.HandleFunc("GET", "/v1/galleries/{g}/images/{i}/versions/{v}/disks/{lun}/tree", h.tree)
	mux.HandleFunc("POST", "/v1/galleries/{g}/images/{i}/versions/{v}/disks/{lun}/frames", h.frames)
	mux.HandleFunc("POST", "/v1/galleries/{g}/images/{i}/versions/{v}/disks/{lun}/links", h.links)
	return mux
}

type handler struct {
	u   Uploads
	d   Disks
	log *slog.Logger
}

// reply answers an upload or the error.
func (h *handler) reply(w http.ResponseWriter, r *http.Request, u v1.Upload, err error) {
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, u)
}

func (h *handler) open(w http.ResponseWriter, r *http.Request) {
	var in v1.UploadRequest
	err := respond.Decode(w, r, &in)
	var u v1.Upload
	if err == nil {
		u, err = h.u.Open(r.Context(), in)
	}
	h.reply(w, r, u, err)
}

func (h *handler) take(w http.ResponseWriter, r *http.Request) {
	var in v1.UploadRequest
	err := respond.Decode(w, r, &in)
	if err == nil && in.ID != r.PathValue("id") {
		err = &gallery.Error{Kind: gallery.ErrInvalid, Field: "id", Message: "must be the id of the path"}
	}
	var u v1.Upload
	if err == nil {
		u, err = h.u.Take(r.Context(), in)
	}
	h.reply(w, r, u, err)
}

func (h *handler) get(w http.ResponseWriter, r *http.Request) {
	u, err := h.u.Get(r.PathValue("id"))
	h.reply(w, r, u, err)
}

func (h *handler) commit(w http.ResponseWriter, r *http.Request) {
	var in v1.UploadCommit
	err := respond.Decode(w, r, &in)
	var u v1.Upload
	if err == nil {
		u, err = h.u.Commit(r.Context(), r.PathValue("id"), in)
	}
	h.reply(w, r, u, err)
}

func (h *handler) abandon(w http.ResponseWriter, r *http.Request) {
	if err := h.u.Abandon(r.Context(), r.PathValue("id")); err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// maxWorker bounds the number by which a client tells its workers apart.
const maxWorker = 1<<16 - 1

// workerOf reads which worker of the client made a batch; a client need not say so.
func workerOf(r *http.Request) (int, error) {
	s := r.URL.Query().Get("worker")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxWorker {
		return 0, &gallery.Error{Kind: gallery.ErrInvalid, Field: "worker", Message: fmt.Sprintf("must be 0 to %d", maxWorker)}
	}
	return n, nil
}

func (h *handler) batch(w http.ResponseWriter, r *http.Request) {
	worker, err := workerOf(r)
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	if err := h.u.Batch(r.Context(), r.PathValue("id"), worker, respond.Body(w, r, publish.MaxBatch)); err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// gather collects ids into records of a good size.
const gather = 4096

func (h *handler) known(w http.ResponseWriter, r *http.Request) {
	h.stream(w, r, func(out *wire.Writer) error {
		ids := make([]chunk.ID, 0, gather)
		err := h.u.Known(r.Context(), r.PathValue("id"), func(id chunk.ID) error {
			if ids = append(ids, id); len(ids) < gather {
				return nil
			}
			err := out.Chunks(ids)
			ids = ids[:0]
			return err
		})
		return errors.Join(err, out.Chunks(ids))
	})
}

func (h *handler) spans(w http.ResponseWriter, r *http.Request) {
	h.stream(w, r, func(out *wire.Writer) error {
		return h.u.Spans(r.Context(), r.PathValue("id"), func(s manifest.SpanRef) error {
			return out.Spans([]manifest.SpanRef{s})
		})
	})
}

// stream answers records. An error before the first record is an answer of its own, a later one
// ends the stream.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, fill func(*wire.Writer) error) {
	late := &lateWriter{w: w, out: respond.Stream(w)}
	out := wire.NewWriter(late)
	err := fill(out)
	if err == nil {
		err = out.End()
	}
	switch {
	case err == nil || r.Context().Err() != nil:
	case !late.begun:
		respond.Error(h.log, w, r, err)
	default:
		kind := gallery.KindOf(err)
		h.log.Warn("stream broke off", "path", r.URL.Path, "error", err)
		_ = out.Error(string(kind), err.Error())
	}
}

// lateWriter sends the header with the first byte.
type lateWriter struct {
	w     http.ResponseWriter
	out   io.Writer
	begun bool
}

func (l *lateWriter) Write(b []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", wire.ContentType)
	}
	return l.out.Write(b)
}

// version reads which disk is meant.
func version(r *http.Request) (Version, error) {
	v := Version{Gallery: r.PathValue("g"), Image: r.PathValue("i"), Number: r.PathValue("v"), LUN: gallery.LUNOS}
	if s := r.PathValue("lun"); s != "os" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > gallery.MaxLUN {
			return v, &gallery.Error{Kind: gallery.ErrInvalid, Field: "lun", Message: fmt.Sprintf("must be os or 0 to %d", gallery.MaxLUN)}
		}
		v.LUN = n
	}
	return v, nil
}

func (h *handler) tree(w http.ResponseWriter, r *http.Request) {
	v, err := version(r)
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	h.stream(w, r, func(out *wire.Writer) error { return h.d.Tree(r.Context(), v, out) })
}

// asked reads which chunks of which disk are meant.
func asked(w http.ResponseWriter, r *http.Request) (Version, []Ask, error) {
	v, err := version(r)
	if err != nil {
		return v, nil, err
	}
	asks, err := readAsks(respond.Body(w, r, maxAsks))
	if err != nil {
		err = &gallery.Error{Kind: gallery.ErrInvalid, Field: "body", Message: "list of wanted chunks", Err: err}
	}
	return v, asks, err
}

// links answers secrets: they go to the client and nowhere else.
func (h *handler) links(w http.ResponseWriter, r *http.Request) {
	v, asks, err := asked(w, r)
	var l v1.Links
	if err == nil {
		l, err = h.d.Links(r.Context(), v, asks)
	}
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	respond.JSON(w, http.StatusOK, l)
}

func (h *handler) frames(w http.ResponseWriter, r *http.Request) {
	v, asks, err := asked(w, r)
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	unchecked := r.Header.Get(v1.UncheckedHeader) == "1"
	h.stream(w, r, func(out *wire.Writer) error { return h.d.Frames(r.Context(), v, asks, unchecked, out) })
}

// maxAsks bounds a request for frames, in bytes: 64 Ki chunks.
const maxAsks = 3 << 20

// readAsks reads a span, then its chunks, then the next span.
func readAsks(body io.Reader) ([]Ask, error) {
	in := wire.NewReader(body, make([]byte, wire.MinBuffer))
	var asks []Ask
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) {
			return asks, nil
		}
		if err != nil {
			return nil, err
		}
		switch {
		case rec.Kind == wire.KindSpans:
			for _, s := range rec.Spans {
				asks = append(asks, Ask{Span: s.Span})
			}
		case rec.Kind == wire.KindChunks && len(asks) > 0:
			last := &asks[len(asks)-1]
			last.IDs = append(last.IDs, rec.IDs...)
		default:
			return nil, fmt.Errorf("a %s record where a span or its chunks are due", rec.Kind)
		}
	}
}
