package front

import (
	"io"
	"net/http"

	"loggia/gallery"
)

// regional wraps what only a node of the region in the path can do: this node serves it where it is one, else such a node does.
func (f *Front) regional(refuse refusal) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			region := gallery.RegionName(r.PathValue("region"))
			if forwarded(r) || region == f.o.Region {
				next.ServeHTTP(w, r)
				return
			}
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if err != nil {
				refuse(w, r, &gallery.Error{Kind: gallery.ErrLimit, Field: "body", Message: "larger than 1 MiB"})
				return
			}
			r.Header.Set(regionHeader, string(f.o.Region))
			r.Header.Set(baseHeader, f.Base(r))
			if err := f.passTo(w, r, region, body); err != nil {
				refuse(w, r, err)
			}
		})
	}
}

// passTo asks the nodes of a region in turn and streams the answer of the first that can be reached.
func (f *Front) passTo(w http.ResponseWriter, r *http.Request, region gallery.RegionName, body []byte) error {
	nodes := f.o.Nodes(region)
	if len(nodes) == 0 {
		return &gallery.Error{Kind: gallery.ErrNotFound, Op: "ask region", Resource: string(region), Message: "it has no nodes"}
	}
	var last error
	for _, n := range nodes {
		resp, err := f.o.Peers.Forward(r, n, body)
		if err != nil {
			last = err
			continue
		}
		defer resp.Body.Close()
		for name, v := range resp.Header {
			w.Header()[name] = v
		}
		w.WriteHeader(resp.StatusCode)
		stream(w, resp.Body)
		return nil
	}
	return last
}

// stream copies an answer and passes on what has come without waiting for more.
func stream(w http.ResponseWriter, from io.Reader) {
	out := http.NewResponseController(w)
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, werr := w.Write(b[:n]); werr != nil {
				return
			}
			_ = out.Flush() // the next write says whether the client is gone
		}
		if err != nil {
			return
		}
	}
}
