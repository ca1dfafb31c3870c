package peer

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"loggia/api/respond"
	"loggia/gallery"
	"loggia/transfer/chunk"
	"loggia/transfer/replicate"
	"loggia/transfer/wire"
)

// maxCommand bounds a proposed command, in bytes.
const maxCommand = 32 << 10

// Handler serves the routes of the package. Requests come over connections whose certificate the
// port has verified; node tells whose it is.
func Handler(s Service, node func(*http.Request) (gallery.NodeID, error), log *slog.Logger) http.Handler {
	h := &handler{s: s, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /peer/v1/propose", h.propose)
	mux.HandleFunc("GET /peer/v1/term", func(w http.ResponseWriter, _ *http.Request) {
		respond.JSON(w, http.StatusOK, number{s.Term()})
	})
	mux.HandleFunc("GET /peer/v1/understands", func(w http.ResponseWriter, _ *http.Request) {
		respond.JSON(w, http.StatusOK, number{uint64(s.Understands())})
	})
	mux.HandleFunc("POST /peer/v1/read-index", h.readIndex)
	mux.HandleFunc("GET /peer/v1/hash", h.hash)
	mux.HandleFunc("GET /peer/v1/live", func(w http.ResponseWriter, _ *http.Request) {
		respond.JSON(w, http.StatusOK, s.Live())
	})
	mux.HandleFunc("POST /peer/v1/disks/{disk}/frames", h.frames)
	mux.HandleFunc("GET /peer/v1/disks/{disk}/have", h.have)
	mux.HandleFunc("POST /peer/v1/shares", h.shares)
	forward := http.StripPrefix("/forward", s.Forwarded())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := node(r)
		if err == nil && !s.Member(id) {
			err = &gallery.Error{Kind: gallery.ErrForbidden, Op: "call peer", Resource: string(id), Message: "is not a member of this cluster"}
		}
		if err != nil {
			respond.Error(log, w, r, err)
			return
		}
		r = r.WithContext(withNode(r.Context(), id))
		// Not by the mux, which would redirect a person's path that has doubled slashes.
		if strings.HasPrefix(r.URL.Path, "/forward/") {
			forward.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

type handler struct {
	s   Service
	log *slog.Logger
}

type number struct {
	N uint64 `json:"n"`
}

func (h *handler) propose(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommand))
	if err != nil {
		respond.Error(h.log, w, r, &gallery.Error{Kind: gallery.ErrLimit, Op: "propose", Err: err})
		return
	}
	out, err := h.s.Propose(r.Context(), nodeOf(r.Context()), data)
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/cbor")
	_, _ = w.Write(out)
}

func (h *handler) readIndex(w http.ResponseWriter, r *http.Request) {
	i, err := h.s.ReadIndex(r.Context())
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, number{i})
}

func (h *handler) hash(w http.ResponseWriter, r *http.Request) {
	i, err := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	if err != nil {
		respond.Error(h.log, w, r, &gallery.Error{Kind: gallery.ErrInvalid, Field: "index", Message: "must be a number"})
		return
	}
	d, ok := h.s.HashAt(i)
	if !ok {
		respond.Error(h.log, w, r, &gallery.Error{Kind: gallery.ErrNotFound, Op: "state hash", Resource: strconv.FormatUint(i, 10)})
		return
	}
	respond.JSON(w, http.StatusOK, map[string]string{"hash": d.String()})
}

func (h *handler) frames(w http.ResponseWriter, r *http.Request) {
	want, err := readWant(r.Body)
	if err != nil {
		respond.Error(h.log, w, r, &gallery.Error{Kind: gallery.ErrInvalid, Field: "body", Message: "want list", Err: err})
		return
	}
	asked := readAsked(r)
	way, err := h.s.Outgoing(r.Context(), nodeOf(r.Context()), asked, respond.Stream(w))
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	defer way.Done()
	w.Header().Set("Content-Type", wire.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	out := wire.NewWriter(way)
	// What is read from the store passes by every limit: then there is no link.
	err = h.s.Frames(r.Context(), asked.Disk, want, asked.Links && way.Free, out)
	if err == nil {
		err = out.End()
	}
	var busy *replicate.Busy
	if errors.As(err, &busy) {
		_ = out.Error(CodeBusy, busy.After.String())
		return
	}
	if err != nil && r.Context().Err() == nil {
		h.log.Warn("sending frames failed", "disk", r.PathValue("disk"), "peer", nodeOf(r.Context()), "error", err)
		_ = out.Error(string(gallery.KindOf(err)), err.Error())
	}
}

func (h *handler) have(w http.ResponseWriter, r *http.Request) {
	var m replicate.Mark
	for name, to := range map[string]*uint64{"epoch": &m.Epoch, "seq": &m.Seq} {
		n, err := strconv.ParseUint(r.URL.Query().Get(name), 10, 64)
		if err != nil {
			respond.Error(h.log, w, r, &gallery.Error{Kind: gallery.ErrInvalid, Field: name, Message: "must be a number"})
			return
		}
		*to = n
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(h.s.Have(r.Context(), gallery.DiskID(r.PathValue("disk")), m).Encode())
}

func (h *handler) shares(w http.ResponseWriter, r *http.Request) {
	var in Shares
	if err := respond.Decode(w, r, &in); err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, h.s.Shares(nodeOf(r.Context()), in))
}

// readWant reads a stream of chunk ids.
func readWant(body io.Reader) ([]chunk.ID, error) {
	r := wire.NewReader(body, make([]byte, wire.MinBuffer))
	var want []chunk.ID
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return want, nil
		}
		if err != nil {
			return nil, err
		}
		if rec.Kind != wire.KindChunks {
			return nil, fmt.Errorf("a %s record in a list of wanted chunks", rec.Kind)
		}
		if want = append(want, rec.IDs...); len(want) > MaxWant {
			return nil, fmt.Errorf("more than %d chunks", MaxWant)
		}
	}
}
