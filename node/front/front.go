// Package front is the node's HTTP surface: it routes, authenticates, and passes writes on to the leader.
package front

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"loggia/api/authn"
	"loggia/api/authz"
	"loggia/api/azure"
	"loggia/api/check"
	"loggia/api/data"
	"loggia/api/links"
	"loggia/api/manage"
	"loggia/api/peer"
	"loggia/api/respond"
	"loggia/api/status"
	"loggia/api/sts"
	"loggia/api/v1"
	"loggia/gallery"
	"loggia/node/service"
)

// Leadership is what the front asks of consensus.
type Leadership interface {
	IsLeader() bool
	// Settle waits until this node, which leads, has applied what its predecessors acknowledged.
	Settle(ctx context.Context) error
	// WaitLeader blocks until a leader is known.
	WaitLeader(ctx context.Context) (gallery.NodeID, error)
	// While returns a context that ends, too, when another node leads.
	While(ctx context.Context, leader gallery.NodeID) (context.Context, context.CancelFunc)
	WaitApplied(ctx context.Context, index uint64) error
	Applied() uint64
}

// Options is what a Front needs.
type Options struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	Leader  Leadership
	Peers   *peer.Client
	Service manage.Service
	Access  interface {
		authn.Verifier
		authz.Access
	}
	Names  authz.Names
	Tokens sts.Service
	// URL is the configured external origin; empty: scheme and host of each request.
	URL string
	// Own says whether an origin is this node's.
	Own func(base string) bool
	// CaughtUp says whether the state is good enough to answer from: right after a start it lacks
	// what the log has not told it yet.
	CaughtUp func() bool
	Status   status.Service
	Uploads  data.Uploads
	Disks    data.Disks
	Links    http.Handler  // GET and HEAD below links.Path: the link is the right
	Azure    azure.Options // of Resource Manager; what is the front's own is filled in here
	Check    check.Service
	// Nodes lists the nodes of a region, those first that are likely to answer.
	Nodes   func(gallery.RegionName) []gallery.NodeID
	Metrics http.Handler
	Join    http.Handler // POST /v1/join: guarded by its own token
	Log     *slog.Logger
}

// Front is safe for use by many goroutines.
type Front struct {
	o       Options
	clients http.Handler
}

// New returns a front.
func New(o Options) *Front {
	f := &Front{o: o}
	refuse := refusal(func(w http.ResponseWriter, r *http.Request, err error) { respond.Error(o.Log, w, r, err) })
	forward, current := f.forward(refuse), f.current(refuse)
	inner := http.NewServeMux()
	guard := authz.New(o.Access, o.Names, refuse)
	stats := status.Handler(o.Status, o.Metrics, guard, o.Log)
	content := data.Handler(o.Uploads, o.Disks, guard, o.Log)
	meta := manage.Handler(o.Service, guard, forward, o.Log)
	checks := check.Handler(o.Check, guard, f.regional(refuse), o.Log)
	for pattern, h := range map[string]http.Handler{
		"/v1/regions/{region}/verify": checks,
		"/metrics":                    stats, "/v1/status": stats, "/v1/events": stats, "/v1/galleries/{g}/images/{i}/versions/{v}/status": stats,
		"/v1/uploads": content, "/v1/uploads/": content, "/v1/galleries/{g}/images/{i}/versions/{v}/disks/": content,
		"/v1/": meta,
	} {
		inner.Handle(pattern, h)
	}
	inner.Handle("/", status.NotFound(o.Log))
	guarded := authn.Require(o.Access, f.caller(inner), refuse)
	outer := http.NewServeMux()
	health := status.Health(o.Status)
	outer.Handle("GET /livez", health)
	outer.Handle("GET /readyz", health)
	outer.Handle("POST /v1/join", forward(o.Join))
	outer.Handle(links.Path, current(o.Links))
	outer.Handle("GET /v1/login", current(manage.Login(o.Service)))
	outer.Handle("/", current(guarded))
	f.clients = f.dispatch(outer)
	return f
}

// dispatch hands the paths of identity and of Resource Manager to their own routers, before a mux could redirect those with doubled slashes.
func (f *Front) dispatch(next http.Handler) http.Handler {
	asToken := refusal(func(w http.ResponseWriter, r *http.Request, err error) { sts.Refuse(f.o.Log, time.Now(), w, r, err) })
	asARM := refusal(func(w http.ResponseWriter, r *http.Request, err error) { azure.Refuse(f.o.Log, w, r, err) })
	identity := f.current(asToken)(sts.Handler(sts.Options{Service: f.o.Tokens, Writer: f.forward(asToken), Base: f.Base, Own: f.o.Own, Now: time.Now, Log: f.o.Log}))
	o := f.o.Azure
	o.Writer, o.Caller, o.Base, o.Log = f.forward(asARM), f.caller, f.Base, f.o.Log
	o.Challenge = func(base string) string { return base + "/adfs" }
	o.Identity = func(ctx context.Context) string { return service.CallerOf(ctx).Principal }
	arm := f.current(asARM)(azure.Handler(o))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case sts.Owns(r.URL.Path):
			identity.ServeHTTP(w, r)
		case azure.Owns(r.URL.EscapedPath()):
			arm.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// baseHeader tells the leader under which origin a forwarded request came in.
const baseHeader = "Loggia-Base"

// Base is the origin under which the sender of a request reached the cluster, without a slash at its end.
func (f *Front) Base(r *http.Request) string {
	if b := r.Header.Get(baseHeader); b != "" && forwarded(r) {
		return b
	}
	if f.o.URL != "" {
		return f.o.URL
	}
	return "https://" + r.Host // the port speaks nothing but TLS
}

// Clients serves people and programs.
func (f *Front) Clients() http.Handler { return f.clients }

// refusal answers an error in the words of a surface: each has clients that understand no other's.
type refusal func(w http.ResponseWriter, r *http.Request, err error)

// current refuses while this node is catching up: a token or an upload that it has not heard of yet
// may well exist.
func (f *Front) current(refuse refusal) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return f.whenCurrent(refuse, next) }
}

func (f *Front) whenCurrent(refuse refusal, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.o.CaughtUp() {
			refuse(w, r, &gallery.Error{Kind: gallery.ErrUnavailable, Message: "this node is catching up with the cluster; try again in a moment"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// regionHeader tells the leader where a forwarded request came in.
const regionHeader = "Loggia-Region"

type forwardedKey struct{}

// Forwarded serves requests that another node passed on: with that person's credentials, never
// passed on again.
func (f *Front) Forwarded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.clients.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), forwardedKey{}, true)))
	})
}

// caller says who asks, and where.
func (f *Front) caller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := service.Caller{Region: f.o.Region}
		p, ok := authn.From(r.Context())
		if ok {
			c.Principal = p.Actor()
		}
		if id := r.Header.Get(v1.RequestIDHeader); id != "" {
			// Everybody's ids are their own: nobody gets the result of another's request by naming its id.
			c.RequestID = p.Actor() + "/" + id
		}
		if forwarded(r) {
			if name, err := gallery.ParseRegionName(r.Header.Get(regionHeader)); err == nil {
				c.Region = name
			}
		}
		next.ServeHTTP(w, r.WithContext(service.WithCaller(r.Context(), c)))
	})
}

func forwarded(r *http.Request) bool {
	is, _ := r.Context().Value(forwardedKey{}).(bool)
	return is
}

// The bounds of passing a write on.
const (
	maxBody  = 1 << 20          // bytes
	patience = 10 * time.Second // for a leader
)

// forward wraps a write: this node serves it where it leads, else the leader does.
func (f *Front) forward(refuse refusal) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return f.forwardTo(refuse, next) }
}

func (f *Front) forwardTo(refuse refusal, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if forwarded(r) || f.o.Leader.IsLeader() {
			if err := f.o.Leader.Settle(r.Context()); err != nil {
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(&indexed{ResponseWriter: w, f: f}, r)
			return
		}
		body, err := io.ReadAll(respond.Body(w, r, maxBody))
		if err != nil {
			refuse(w, r, unread(err))
			return
		}
		if r.Header.Get(v1.RequestIDHeader) == "" {
			r.Header.Set(v1.RequestIDHeader, uuid.NewString())
		}
		r.Header.Set(regionHeader, string(f.o.Region))
		r.Header.Set(baseHeader, f.Base(r))
		if err := f.pass(w, r, body, next); err != nil {
			refuse(w, r, err)
		}
	})
}

// unread says why a body could not be passed on.
func unread(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &gallery.Error{Kind: gallery.ErrLimit, Field: "body", Message: "larger than 1 MiB", Err: err}
	}
	return &gallery.Error{Kind: gallery.ErrInvalid, Field: "body", Message: "it could not be read to its end"}
}

// relay waits until this node's state holds the write, so that the person reads it here, and answers.
func (f *Front) relay(w http.ResponseWriter, r *http.Request, resp *http.Response) error {
	if i, err := strconv.ParseUint(resp.Header.Get(peer.IndexHeader), 10, 64); err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if err := f.o.Leader.WaitApplied(ctx, i); err != nil {
			f.o.Log.Warn("this node's state lags behind a write that it passed on", "index", i, "error", err)
		}
	}
	for name, v := range resp.Header {
		if name != peer.IndexHeader {
			w.Header()[name] = v
		}
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(resp.Body, 64<<20)) // the client is gone; nobody is left to tell
	return nil
}

// indexed adds the applied index to an answer.
type indexed struct {
	http.ResponseWriter
	f *Front
}

func (i *indexed) WriteHeader(status int) {
	i.Header().Set(peer.IndexHeader, strconv.FormatUint(i.f.o.Leader.Applied(), 10))
	i.ResponseWriter.WriteHeader(status)
}

func (i *indexed) Unwrap() http.ResponseWriter { return i.ResponseWriter }
